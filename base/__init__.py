"""The parts of training that all tasks share.

A run from outside to inside: `base_trainer` (loop, step, validation), which each task subclasses,
trains the parts of `training_parts` by their settings. A step takes its batches from
`base_data_loader`, and is `step/step.py` from gradients to new weights. `run_state` owns
all that changes in a run, and says whether it may be saved; `training_checkpoint` saves it in files
of `checkpoint`. `run_folder` is the folder with its lock, `run_log` opens it for a session
and writes the logs. `soundness` finds the source of NaN. `contract` tries own parts on two samples
before a run: `errors_as_config_fault` names a part that fails, `digest` tells states apart.
`stop_request` ends a run, `distributed` adds up over processes. `config/` reads configs and makes
the objects that they describe.
"""
