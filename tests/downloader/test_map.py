"""The map of the downloader, which is the docstring of its package."""

import re
from pathlib import Path

from crawler import downloader


def test_every_file_is_on_the_map_once() -> None:
    """A reader who looks for a term finds its file there."""
    files = {path.name for path in Path(downloader.__path__[0]).glob("*.py")} - {"__init__.py"}

    assert sorted(re.findall(r"`(\w+\.py)`", downloader.__doc__ or "")) == sorted(files)
