"""DECIDES. Pure: no I/O, no await, no clock, no randomness of its own; `now`, jitter and bytes are arguments."""
