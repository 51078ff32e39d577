"""ASKS. One file per subcommand, which imports its engine inside, so that `--help` and worker processes stay light."""
