"""SHOWS meanwhile: on a terminal a display that moves, elsewhere a plain line now and then."""
