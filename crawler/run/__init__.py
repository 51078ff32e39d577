"""KEEPS a run in its folder: what lies there, how it is written durably, the lists it was given, and its audit."""
