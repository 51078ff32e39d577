"""KEEPS results in append-only files. Blocking; lives on the storage thread."""
