"""ASKS. One file per subcommand; what a command runs is imported inside it, so that a worker process stays light."""
