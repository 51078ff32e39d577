"""User's own defaults: a file of options that holds for every crawl and fetch.

Rules
- Its path follows the XDG base directory specification: `$XDG_CONFIG_HOME/crawler/config.toml`, or
  `~/.config/crawler/config.toml` if the variable is not set or no absolute path.
- A file named by `--config` beats it, and a flag beats both. Nothing else reads it: a resume has the run's own options.
Runs on: the main thread.
"""

import os
from pathlib import Path

from crawler.run.disk import read_toml


def defaults_file() -> Path:
    """Return the path of the file, which may not exist."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or "")
    return (base if base.is_absolute() else Path("~/.config").expanduser()) / "crawler" / "config.toml"


def read_defaults() -> dict[str, object]:
    """Return the user's own defaults by option name; none if there is no such file.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    path = defaults_file()
    return read_toml(path) if path.exists() else {}
