"""Faults of workers that share a run over PostgreSQL; the long form is `benchmarks/shared_faults.py`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from crawler.frontier.postgres.runs import connected
from crawler.site.plan import SitePlan
from support.databases import cutting_proxy, running_server
from support.faults import digests, site_process
from support.shared_account import SharedAccount, account
from support.shared_workers import LEASE, Crew, Worker

PLAN = SitePlan.plain(pages=80, hosts=6, latency=0.15)
SECONDS = 120.0  # what takes longer hangs


@dataclass
class Shared:
    """A run of three workers that has not begun; `dsn` leads to its database without a proxy."""

    crew: Crew
    dsn: str
    truth: dict[str, tuple[int | None, str | None]]
    chance: Random

    def live(self, fault: Callable[[Worker], object], faults: int) -> SharedAccount:
        """Hit one of the workers so many times, and return the account of the complete run."""
        left = iter(range(faults - 1, -1, -1))

        def hit() -> bool:
            working = [worker for worker in self.crew.workers if worker.works]
            if not working:
                return True
            fault(self.chance.choice(working))
            return next(left) > 0

        try:
            self.crew.begin()
            self._wait_until_all_work()
            assert self.crew.live(self.chance, hit, (0.3, 0.8), SECONDS), "the run hangs"
        finally:
            self.crew.end()
        assert next(left, None) is None, "the run was complete before all faults"
        return account(self.dsn, self.crew.folders, self.truth)

    def _wait_until_all_work(self) -> None:
        until = time.monotonic() + SECONDS
        with connected(self.dsn, "run") as db:
            while db.rows("SELECT count(*) FROM worker WHERE life IS NOT NULL") < [(len(self.crew.workers),)]:
                assert time.monotonic() < until, "a worker does not begin"
                time.sleep(0.05)  # another process's step sends us no event


@contextmanager
def shared(folder: Path, dsn: str, through: str | None = None) -> Iterator[Shared]:
    """Serve a site, and give a run that fetches all of it; its workers reach the database `through` another DSN."""
    with site_process(PLAN, folder / "requests.jsonl") as running:
        listed = folder / "list.txt"
        listed.write_text("".join(f"{url}\n" for url in running.site.urls()), "utf-8")
        crew = Crew(
            folder / "workers",
            through or dsn,
            ["fetch", str(listed)],
            size=3,
            options=("--concurrency", "6", "--workers", "0"),
        )
        truth: dict[str, tuple[int | None, str | None]] = {url: (200, sha256) for url, sha256 in digests(running.site)}
        yield Shared(crew, dsn, truth, Random(7))  # noqa: S311 - the same moments each time


def test_killed_workers_lose_nothing_and_double_nothing(database: str, tmp_path: Path) -> None:
    """One comes back at once, one when the others have taken its hosts over."""
    pauses = iter([0.0, 1.5 * LEASE, 0.0])

    with shared(tmp_path, database) as run:
        found = run.live(lambda worker: run.crew.kill(worker, after=next(pauses)), faults=3)

    assert found.problems == []
    assert found.is_clean
    assert run.crew.unexpected == []


def test_a_worker_that_slept_past_its_lease_begins_again(database: str, tmp_path: Path) -> None:
    """It writes nothing of what it held, and its process ends in order with the run."""
    with shared(tmp_path, database) as run:
        found = run.live(lambda worker: run.crew.stop(worker, seconds=LEASE + 1.5), faults=2)

    assert found.problems == []
    assert found.is_clean
    assert run.crew.unexpected == []
    assert [worker.codes for worker in run.crew.workers] == [[0]] * 3


def test_workers_outlive_lost_connections_and_a_server_that_stops_at_once(tmp_path: Path) -> None:
    """They wait for it, learn from it whether their last groups have landed, and go on."""
    with running_server() as server, server.database() as dsn, cutting_proxy(dsn) as proxy:

        def restart() -> None:
            server.stop_at_once()
            server.start()

        with shared(tmp_path, dsn, proxy.dsn) as run:
            lost = partial(proxy.cut_at_commit, is_forwarded=True)
            never_sent = partial(proxy.cut_at_commit, is_forwarded=False)
            faults: Iterator[Callable[[], object]] = iter([lost, never_sent, restart, lost, proxy.cut])
            found = run.live(lambda _: next(faults)(), faults=5)

        assert proxy.cuts > 0
    assert found.problems == []
    assert found.is_clean
    assert run.crew.unexpected == []
    assert [worker.codes for worker in run.crew.workers] == [[0]] * 3
