"""library: a script as a worker of a run that others share."""

import json
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from crawler.core.errors import StorageError, UsageError
from crawler.frontier.postgres.at_rest import at_rest
from crawler.library import crawl
from support.commands import add_pages, program
from support.siteserver import HandMadeSite

PAGES = 40
URL = "http://127.0.0.1:9000/"
NOWHERE = "postgresql://me@127.0.0.1:1/none"


def lines(*folders: Path) -> Counter[str]:
    """The URLs of the lines of these folders."""
    files = [(folder / "pages.jsonl").read_bytes().splitlines() for folder in folders]
    return Counter(json.loads(line)["url"] for file in files for line in file)


async def test_a_script_shares_its_run(tmp_path: Path, database: str) -> None:
    """It yields what it has fetched itself; its lines and those of who joins are all URLs, each once."""
    mine, other, yielded = tmp_path / "mine", tmp_path / "other", list[str]()
    async with HandMadeSite() as site, HandMadeSite(address="127.0.0.2") as second:
        for one in (site, second):
            add_pages(one, PAGES)
        seeds = [one.url(f"/{number}") for one in (site, second) for number in range(PAGES)]

        async for page in crawl(seeds, frontier=database, name="docs", output=mine, delay=0.05, robots=False):
            yielded.append(page.url)
            if len(yielded) == 4:
                async with program("join", database, "-o", other, "--quiet") as joined:
                    _, said = await joined.communicate()
        ended = joined.returncode

    assert ended == 0, said
    assert Counter(yielded) == lines(mine)
    assert lines(mine, other) == Counter(seeds)
    with at_rest(database, "docs") as frontier:
        assert [worker.late for worker in frontier.workers()] == [None, None]


async def test_a_script_that_has_lost_its_lease_begins_again(tmp_path: Path, database: str) -> None:
    """No page comes twice, and none is missing."""
    yielded = list[str]()
    async with HandMadeSite() as site:
        add_pages(site, PAGES)
        seeds = [site.url(f"/{number}") for number in range(PAGES)]

        async for page in crawl(seeds, frontier=database, name="docs", output=tmp_path / "w", concurrency=2):
            yielded.append(page.url)
            if len(yielded) == 3:
                with psycopg.connect(database, options="-c search_path=crawler_docs", autocommit=True) as db:
                    db.execute("UPDATE host SET owner = NULL")
                    db.execute("UPDATE worker SET life = NULL")
        with psycopg.connect(database, options="-c search_path=crawler_docs") as db:
            lives = db.execute("SELECT last_value FROM life_number").fetchone()

    assert lives == (2,)
    assert Counter(yielded) == Counter(seeds)
    assert lines(tmp_path / "w") == Counter(seeds)


async def test_a_session_is_refused_beside_a_database() -> None:
    """The line names both keywords."""
    with pytest.raises(UsageError, match="frontier and session"):
        await anext(crawl([URL], frontier=NOWHERE, session=object()))


async def test_a_run_in_a_database_needs_a_folder() -> None:
    """The lines of a temporary one would be lost."""
    with pytest.raises(UsageError, match="give output, too"):
        await anext(crawl([URL], frontier=NOWHERE))


async def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The error comes before anything is fetched, and no folder is left behind."""
    with pytest.raises(StorageError):
        await anext(crawl([URL], frontier=NOWHERE, output=tmp_path / "w"))

    assert not (tmp_path / "w").exists()
