"""Fixtures of several journeys: a site of twenty pages and their list, and a long list with a run that began on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from crawler.cli.main import _run
from crawler.site.plan import SitePlan
from support.commands import add_pages, write_list
from support.faults import RunningSite, site_process
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


@pytest.fixture(scope="package")
def big_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A site of 400 pages."""
    with site_process(SitePlan.plain(pages=400), tmp_path_factory.mktemp("log") / "requests.jsonl") as site:
        yield site


@pytest.fixture(scope="package")
def long_list(tmp_path_factory: pytest.TempPathFactory, big_site: RunningSite) -> Path:
    """The list of its URLs."""
    path = tmp_path_factory.mktemp("list") / "urls.txt"
    path.write_text("".join(f"{url}\n" for url in big_site.site.urls()), "utf-8")
    return path


@pytest.fixture(scope="package")
def half_done(tmp_path_factory: pytest.TempPathFactory, long_list: Path) -> Path:
    """A run of 30 pages that has more to do; each test damages a copy."""
    folder = tmp_path_factory.mktemp("runs") / "half"
    assert _run(["fetch", str(long_list), "-o", str(folder), "--max-pages", "30", "--quiet"]) == 0
    return folder
