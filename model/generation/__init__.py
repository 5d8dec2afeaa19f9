"""Networks that write: the mixture density, its loss and metrics, and sampling."""
