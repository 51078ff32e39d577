"""LOAD-TESTS a local server, whole: its options, pacers, loops, wire, figures, verdict and report."""
