"""Console and file logging, the table of metrics, and TensorBoard."""
