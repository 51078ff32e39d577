"""COMPARES concurrency models: the same job under each of them, measured side by side. One small file per model."""
