"""The account of a run that several workers shared: their lines against the truth, and the database's own sums."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from crawler.frontier.audit import FrontierAudit
from crawler.frontier.postgres.at_rest import PostgresAtRest
from crawler.frontier.postgres.connection import Connection
from crawler.frontier.postgres.runs import connected
from crawler.run.recount import PageLine
from crawler.site.log import Hit

Answer = tuple[int | None, str | None]  # status, SHA-256

_LEFT = {
    "workers with a life": "SELECT count(*) FROM worker WHERE life IS NOT NULL",
    "hosts with an owner": "SELECT count(*) FROM host WHERE owner IS NOT NULL",
    "letters": "SELECT count(*) FROM letter",
    "pending URLs": "SELECT count(*) FROM url WHERE state = 0",
}
_STUCK = (
    "SELECT url, state, attempts, deaths, not_before, url.reason, depth, host.id, owner, ready, due, down, rest_until,"
    " extract(epoch FROM clock_timestamp())::bigint FROM url JOIN host ON host.id = url.host WHERE state = 0 LIMIT 5"
)
_LINES = "SELECT worker, sum(n)::bigint FROM tally WHERE kind = 'state' AND name IN ('DONE', 'FAILED') GROUP BY worker"


@dataclass
class SharedAccount:
    """Differences between the lines of all folders and the truth, and faults in the database.

    Attributes:
        lives: lives that all workers began.
    """

    lines: int = 0
    lost: int = 0
    extra: int = 0
    twice: int = 0
    wrong: int = 0
    lives: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Return whether the lines are the truth, each once, and the database agrees."""
        return not (self.lost or self.extra or self.twice or self.wrong or self.problems)


def account(dsn: str, folders: Sequence[Path], truth: Mapping[str, Answer], run: str = "run") -> SharedAccount:
    """Compare the folders of the workers with the truth, and with the run in the database."""
    found = SharedAccount()
    lines = {folder: _lines(folder) for folder in folders}
    every = [line for own in lines.values() for line in own]
    times = Counter(str(line["url"]) for line in every)
    found.lines = len(every)
    found.lost = sum(url not in times for url in truth)
    found.extra = sum(url not in truth for url in times)
    found.twice = sum(n > 1 for n in times.values())
    found.wrong = sum((line["status"], line["sha256"]) != truth.get(str(line["url"])) for line in every)
    with connected(dsn, run) as db:
        found.lives = int(db.rows("SELECT last_value FROM life_number")[0][0])
        found.problems = [*problems(db), *_compare_files(db, lines), *_compare_lines(db, every)]
    return found


def _lines(folder: Path) -> list[dict[str, object]]:
    file = folder / "pages.jsonl"
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def problems(db: Connection) -> Iterator[str]:
    """Yield what an ended run leaves behind and should not, and rows and sums that do not agree."""
    for name, query in _LEFT.items():
        ((n,),) = db.rows(query)
        if n:
            yield f"{n} {name} are left"
    for row in db.rows(_STUCK):
        yield f"pending: {row}"
    yield from FrontierAudit(PostgresAtRest(db, "database")).problems()


def _compare_files(db: Connection, lines: Mapping[Path, Sequence[object]]) -> Iterator[str]:
    """Yield the workers whose files are not what the database says of them."""
    workers = {place.rpartition(":")[2]: number for number, place in db.rows("SELECT id, place FROM worker")}
    told = dict(db.rows(_LINES))
    committed = {(worker, name): length for worker, name, length in db.rows("SELECT worker, name, length FROM file")}
    for folder, own in lines.items():
        worker = workers[str(folder)]
        if told.get(worker, 0) != len(own):
            yield f"{folder.name} has {len(own)} lines, but the sums say {told.get(worker, 0)}"
        for (number, name), length in committed.items():
            if number == worker and (size := (folder / name).stat().st_size) != length:
                yield f"{folder.name}/{name} has {size} bytes, but {length} are committed"


def _compare_lines(db: Connection, lines: Sequence[Mapping[str, object]]) -> Iterator[str]:
    audit = FrontierAudit(PostgresAtRest(db, "database"))
    told = [msgspec.convert(line, PageLine) for line in lines]
    for line, fault in zip(told, audit.disputes(told), strict=True):
        if fault is not None:
            yield f"{line.url}: {' '.join(fault)}"
    yield from (f"{url}: has no line" for url in audit.unshown())


def asked_again(hits: Sequence[Hit]) -> int:
    """Return how many requests for a page came after it had been answered for good."""
    good = Counter((hit.host, hit.target) for hit in hits if hit.status in _GOOD and hit.target != "/robots.txt")
    return sum(n - 1 for n in good.values())


_GOOD = frozenset({200, 301, 302, 303, 307, 308, 404, 410})
