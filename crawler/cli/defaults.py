"""The user's own defaults: a file of options that holds for every crawl and fetch, and what should stand in it.

Rules
- It lies where the XDG base directory specification puts it: `$XDG_CONFIG_HOME/crawler/config.toml`, and
  `~/.config/crawler/config.toml` where that is not set or no absolute path.
- A file named by `--config` beats it, and a flag beats both. Nothing else reads it: a resume has the run's own options.
Runs on: the main thread.
"""

import os
from itertools import chain
from pathlib import Path

from crawler.core.config import FetchConfig
from crawler.core.lists import BatchBuilder, LineSplitter
from crawler.core.politeness import is_loopback
from crawler.core.text import safe
from crawler.crawl.folder import read_toml

_LOOKED_AT = 64 * 1024  # bytes of the list, before the run begins


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


def contact_note(config: FetchConfig, seeds: Path) -> str | None:
    """What to tell a user who visits other people's servers without a name; None = nothing.

    Of a long list only the beginning is looked at.
    """
    if config.contact or config.is_renamed or not _leads_to_others(seeds):
        return None
    return (
        "note: no server can tell whom to ask about this crawler. Say so once, with a line such as\n"
        f'        contact = "you@example.org"\n      in {safe(str(defaults_file()))} (or each time, with --contact)'
    )


def _leads_to_others(seeds: Path) -> bool:
    with seeds.open("rb") as file:
        block = file.read(_LOOKED_AT)
    splitter, builder = LineSplitter(), BatchBuilder()
    for line, offset in chain(splitter.feed(block), splitter.finish()):
        builder.add(line, offset)
    return any(not is_loopback(find.url.host_port) for find in builder.build(last=True).finds)
