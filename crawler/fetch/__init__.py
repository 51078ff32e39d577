"""Reaches out: one request in, one response out, within limits, to allowed addresses only."""
