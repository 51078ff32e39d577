"""REMEMBERS every URL and its state. Blocking; lives on the storage thread."""
