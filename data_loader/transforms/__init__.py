"""Transforms of ink: random in augmentation, deterministic in preprocessing and shaping."""
