"""Fixtures of most journeys: a site of twenty pages, and their list."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.commands import add_pages, write_list
from support.siteserver import HandMadeSite


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """Twenty pages, /0 to /19."""
    async with HandMadeSite() as served:
        add_pages(served, 20)
        yield served


@pytest.fixture
def listed(tmp_path: Path, site: HandMadeSite) -> Path:
    """A list of its twenty URLs."""
    return write_list(tmp_path / "urls.txt", site, 20)
