"""EXPLAINS why a URL was fetched, or was not: the chain of decisions, step by step. Pure."""
