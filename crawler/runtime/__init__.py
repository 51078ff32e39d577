"""RUNS. One file per concurrency model; knows no crawler word."""
