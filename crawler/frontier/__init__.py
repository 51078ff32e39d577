"""REMEMBERS every URL and its state: decisions, and the stores below them. Blocking; lives on the storage thread."""
