"""From the keys of a config to arguments of constructors.

`plan` reads the files of a config, and has its bound values; `binder` says which values fit. A
key `args.NAME` sets the keyword-only parameter `NAME` of the block's class, or of a base as long as
each class before it hands on `**options`. The annotation of `**settings` may name a dataclass, as
in `Annotated[Any, TrainingSettings]`: then its fields are keys too (`binder.owners`). What stands
before `*`, or goes through `*supplied`, the program passes when it builds the object.

A `Plan` shows one config in four ways: `config` has the values of files, overrides and data,
`complete` also the defaults. `given_config` and `resolved_config` are these two as they are saved,
without folders for caches.
"""
