"""SHOWS the progress of a run: a moving display on a terminal, a plain line now and then elsewhere."""
