"""DECIDES for several wings. Pure: no I/O, no await, no clock, no randomness; `now`, jitter, bytes are arguments."""
