"""The same job under every concurrency model of Python: one small file per model."""
