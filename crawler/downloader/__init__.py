"""FETCHES over HTTP: one request in, one response out, within limits of time, size and address."""
