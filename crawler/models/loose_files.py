"""One file per page, written at once by whoever has it, synced by nobody: what every model of `crawler models` does.

A run keeps pages with `files.py`, which a power cut cannot surprise.
Runs on: any thread or process.
"""

from pathlib import Path

from crawler.core.urls import Url


def write_loose(folder: Path, url: Url, content: bytes) -> None:
    """Write a page's content into the folder, under a name that is this URL's alone."""
    (folder / url.key.hex()).write_bytes(content)
