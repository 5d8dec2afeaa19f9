"""From the keys of a config to arguments of constructors.

`values` reads the files of a config; `binder` says which values fit; `parse_config.Plan` has the
bound values. A key `args.NAME` sets the keyword-only parameter `NAME` of the block's class, or the
field `NAME` of its `settings`, a frozen dataclass, as in `settings: TrainingSettings`. The program
passes what stands before `*` when it builds the object.

A `Plan` shows one config in four ways: `config` has the values of files, overrides and data,
`complete` also the defaults. `given_config` and `resolved_config` are these two as they are saved,
without folders for caches.
"""
