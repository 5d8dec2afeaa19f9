"""Networks that read: losses, decoding, language model, error rates, transcribing."""
