"""The frontier in one SQLite file: the default store. Blocking; lives on the storage thread."""
