"""SHOWS afterwards. Pure: a snapshot becomes text or JSON."""
