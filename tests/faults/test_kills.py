"""`kill -9` of the whole process group at random moments; the long form is `benchmarks/kills.py`."""

from pathlib import Path

import pytest

from crawler.engine.journal import BOUNDS
from crawler.site.plan import SitePlan
from support.faults import killed_run, site_process


@pytest.mark.parametrize(("concurrency", "pages", "kills"), [(1, 800, 3), (64, 2500, 4), (1000, 5000, 4)])
def test_kills_lose_nothing_and_double_nothing(tmp_path: Path, concurrency: int, pages: int, kills: int) -> None:
    """A resumed run has every URL once, with the right bytes, after any number of kills, and no process is left."""
    plan = SitePlan.plain(pages=pages, latency=0.01)

    with site_process(plan, tmp_path / "requests.jsonl") as running:
        account, audit = killed_run(
            running, tmp_path / "run", concurrency=concurrency, kills=kills, longest=1.2, seed=concurrency
        )

    assert account.kills >= 1
    assert account.is_clean, str(account)
    assert audit == 0
    # In flight, waiting for their group, and in the group being written.
    assert max(account.refetched) <= concurrency + BOUNDS.max_items + BOUNDS.group_items
