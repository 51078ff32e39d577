"""REPORTS on a run that has ended or paused, as text or JSON. Pure."""
