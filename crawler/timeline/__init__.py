"""TRACES a run, and draws the trace: recorded in bounded memory, written for Perfetto, shown as a page or picture."""
