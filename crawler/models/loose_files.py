"""One file per page, written at once and never synced: the writing step of `crawler models`.

A run writes with `sinks/files.py`, whose files survive a power cut.
Runs on: any thread or process.
"""

from pathlib import Path

from crawler.core.urls import Url


def write_loose(folder: Path, url: Url, content: bytes) -> None:
    """Write a page's content into the folder, under a name that is unique to its URL."""
    (folder / url.key.hex()).write_bytes(content)
