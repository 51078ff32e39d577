"""The frontier in a PostgreSQL database, which many workers share (extra `crawler[postgres]`). Blocking."""
