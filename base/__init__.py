"""What every task shares, without any task's own word.

A run from outside to inside: `base_trainer` (loop, step, validation), of which a task is a
subclass, trains the parts of `training_parts` by their settings. A step takes its batches from
`batch_stream` and its update from `optimizer_step` (schedule, average, noise). `run_state` is all
that changes; `training_checkpoint` saves and restores that, `checkpoint` is the file, `run_folder`
the folder with its lock, `run_log` what is logged. `dry_run` tries all parts on two samples before,
`stop_request` ends a run, `distributed` adds up over processes. `config/` has what reads configs
and makes the objects that they describe.
"""
