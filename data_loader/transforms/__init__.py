"""Changes of ink: augmentation in training, and shaping once before it."""
