"""The user's own defaults: a file of options that holds for every crawl and fetch.

Rules
- It lies where the XDG base directory specification puts it: `$XDG_CONFIG_HOME/crawler/config.toml`, and
  `~/.config/crawler/config.toml` where that is not set or no absolute path.
- A file named by `--config` beats it, and a flag beats both. Nothing else reads it: a resume has the run's own options.
Runs on: the main thread.
"""

import os
from pathlib import Path

from crawler.run.disk import read_toml


def defaults_file() -> Path:
    """Where the user's own defaults are, or would be."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or "")
    return (base if base.is_absolute() else Path("~/.config").expanduser()) / "crawler" / "config.toml"


def read_defaults() -> dict[str, object]:
    """The user's own defaults by option name; none where there is no such file.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    path = defaults_file()
    return read_toml(path) if path.exists() else {}
