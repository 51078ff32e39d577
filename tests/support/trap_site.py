"""Sites without end, each with a small real site inside: `python trap_site.py NAME...` serves one of each name.

One line of JSON, {"name": "base URL"}, says that they are ready; they end when standard input closes.
Rules
- A real page has a title, `real` and its number. Whatever else is answered is the trap.
- What a page links to follows from its target alone; only session ids are new with every answer.
- After `patience` answers a trap links no further, so that a crawler without rules ends, too, and is found out.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from hashlib import blake2b
from html import escape
from itertools import count
from pathlib import Path
from typing import cast

from crawler.core.reasons import Reason
from crawler.runtime.loop import Stop, raise_open_files, run

_TODAY = datetime.now().astimezone().date()
_MONTH = _TODAY.year * 12 + _TODAY.month - 1  # months since the year 0
_DAY = timedelta(days=1)
_REAL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of a page: a title, links, a refresh, or a redirect."""

    title: str = ""
    links: Iterable[str] = ()
    refresh: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """One site without end.

    Attributes:
        answer: what a request target is answered; None = 404.
        real: how many real pages it has.
        patience: so many answers lead on.
        refused: the reasons for which a crawl of it must refuse URLs, and no other.
    """

    answer: Callable[[str], Answer | None]
    real: int = _REAL
    patience: int = 5000
    refused: frozenset[Reason]


def real_pages(titles: Iterable[object]) -> int:
    """Return the number of different real pages with these titles."""
    return len({title for title in titles if str(title).startswith("real ")})


# --- a real site beside the trap ----------------------------------------------------------------------------------


def _real(number: int, *links: str) -> Answer:
    return Answer(title=f"real {number}", links=links)


def _beside(target: str, *entrances: str) -> Answer | None:
    """A tree of real pages, four below each; its root leads into the trap as well."""
    if target == "/":
        return _real(0, *entrances, *_children(0))
    if match := re.fullmatch(r"/real/(\d+)\.html", target):
        return _real(int(match[1]), *_children(int(match[1])))
    return None


def _children(number: int) -> list[str]:
    return [f"/real/{child}.html" for child in range(4 * number + 1, 4 * number + 5) if child < _REAL]


# --- calendars ----------------------------------------------------------------------------------------------------


def months(target: str) -> Answer | None:
    """Two calendars, one in the path, one in the query; every other month of the last years has a real page."""
    if match := re.fullmatch(r"/calendar/(\d+)/(\d+)/", target):
        month = int(match[1]) * 12 + int(match[2]) - 1
        return Answer(links=[*_parties("path", month), *map(_path_month, (month - 1, month + 1))])
    if match := re.fullmatch(r"/list\?year=(\d+)&month=(\d+)", target):
        month = int(match[1]) * 12 + int(match[2]) - 1
        return Answer(links=[*_parties("query", month), *map(_query_month, (month - 1, month + 1))])
    if match := re.fullmatch(r"/party/(path|query)-(\d+)", target):
        return _real(2 * int(match[2]) + (match[1] == "path"))
    return Answer(links=[_path_month(_MONTH), _query_month(_MONTH)]) if target == "/" else None


def _parties(where: str, month: int) -> list[str]:
    return _archived(f"/party/{where}", _MONTH - month, every=2)


def _archived(path: str, ago: int, *, every: int) -> list[str]:
    """The real page that hangs from this day or month, if any: an archive of sixteen years."""
    number, rest = divmod(ago, every)
    return [f"{path}-{number}"] if not rest and 0 <= number < _REAL // 2 else []


def _path_month(month: int) -> str:
    return f"/calendar/{month // 12:04}/{month % 12 + 1:02}/"


def _query_month(month: int) -> str:
    return f"/list?year={month // 12}&month={month % 12 + 1}"


def days(target: str) -> Answer | None:
    """Two calendars of days, one in the path, with months, one in the query; some days have a real page."""
    if match := re.fullmatch(r"/calendar/(\d+)/(\d+)/(\d+)/", target):
        return _day("path", date(int(match[1]), int(match[2]), int(match[3])), "/calendar/{:%Y/%m/%d}/")
    if match := re.fullmatch(r"/calendar/(\d+)/(\d+)/", target):
        first = date(int(match[1]), int(match[2]), 1)
        near = (first - _DAY, first + 31 * _DAY)
        return Answer(
            links=[f"{first + n * _DAY:/calendar/%Y/%m/%d/}" for n in range(28)]
            + [f"{day:/calendar/%Y/%m/}" for day in near]
        )
    if match := re.fullmatch(r"/day\?date=(\d+)-(\d+)-(\d+)", target):
        return _day("query", date(int(match[1]), int(match[2]), int(match[3])), "/day?date={:%Y-%m-%d}")
    if match := re.fullmatch(r"/concert/(path|query)-(\d+)", target):
        return _real(2 * int(match[2]) + (match[1] == "path"))
    return Answer(links=[f"{_TODAY:/calendar/%Y/%m/}", f"/day?date={_TODAY}"]) if target == "/" else None


def _day(where: str, day: date, spelling: str) -> Answer:
    near = (spelling.format(other) for other in (day - _DAY, day + _DAY))
    return Answer(links=[*_archived(f"/concert/{where}", (_TODAY - day).days, every=60), *near])


# --- sessions -----------------------------------------------------------------------------------------------------

_ids = count()
_SPELLINGS = ("/q/{n}?sid={id}", "/j/{n};jsessionid={id}", "/(S({id}))/a/{n}.aspx", "/p/{n}.php?PHPSESSID={id}&lang=en")


def sessions(target: str) -> Answer | None:
    """Four sites whose every answer begins a new session; no real page has an address without one."""
    if target == "/":
        return Answer(links=[_in_session(area, 0) for area in range(4)])
    if match := re.search(r"/([qjap])/(\d+)", target):
        area, number = "qjap".index(match[1]), int(match[2])
        near = (*range(4 * number + 1, 4 * number + 5), number // 4, (7 * number + 3) % (_REAL // 4))
        links = [_in_session(area, other) for other in near if other < _REAL // 4]
        return _real(4 * number + area, *links)
    return None


def _in_session(area: int, number: int) -> str:
    return _SPELLINGS[area].format(n=number, id=blake2b(str(next(_ids)).encode(), digest_size=16).hexdigest())


# --- queries ------------------------------------------------------------------------------------------------------


def permuted(target: str) -> Answer | None:
    """A list with eight filters, in the order in which they were clicked; each selection has a product of its own."""
    path, _, query = target.partition("?")
    if match := re.fullmatch(r"/product/(\d+)", path):
        return _real(int(match[1]))
    if path != "/list":
        return Answer(links=["/list"]) if target == "/" else None
    chosen = query.split("&") if query else []
    selection = sum(1 << "abcdefgh".index(pair[0]) for pair in chosen)
    longer = [[*chosen, f"{name}=1"] for name in "abcdefgh" if f"{name}=1" not in chosen]
    return Answer(links=[f"/product/{selection}", *("/list?" + "&".join(pairs) for pairs in longer)])


def facets(target: str) -> Answer | None:
    """A list with eighteen filters, always in one order: a quarter of a million selections."""
    path, _, query = target.partition("?")
    if path != "/list":
        return _beside(target, "/list")
    chosen = set(query.split("&")) - {""}
    longer = [sorted({*chosen, f"{name}=1"}) for name in "abcdefghijklmnopqr" if f"{name}=1" not in chosen]
    return Answer(links=["/list?" + "&".join(pairs) for pairs in longer])


# --- names --------------------------------------------------------------------------------------------------------


def nested(target: str) -> Answer | None:
    """Relative links that were meant to be others: a folder within itself, and a link that lacks its scheme."""
    if target.startswith("/a/"):
        return Answer(links=["a/"])
    if target.startswith("/about/"):
        return Answer(links=["www.site.example/privacy/partners/", "more/"])
    return _beside(target, "a/", "about/")


def maze(target: str) -> Answer | None:
    """Three random names on every page, for ever."""
    if target.startswith("/maze/"):
        drawn = blake2b(target.encode(), digest_size=15).hexdigest()
        return Answer(links=[f"/maze/{drawn[at : at + 10]}" for at in (0, 10, 20)])
    return _beside(target, "/maze/in")


def hops(target: str) -> Answer | None:
    """Redirects to redirects, pages that refresh to pages that refresh, and both in turns."""
    if match := re.fullmatch(r"/(redirect|refresh|both)/(\d+)", target):
        onward = f"/{match[1]}/{int(match[2]) + 1}"
        is_redirect = match[1] == "redirect" or (match[1] == "both" and int(match[2]) % 2 == 0)
        return Answer(location=onward, links=[onward]) if is_redirect else Answer(refresh=onward)
    return _beside(target, "/redirect/0", "/refresh/0", "/both/0")


TRAPS = {
    "months": Trap(answer=months, refused=frozenset({Reason.TRAP_CALENDAR})),
    "days": Trap(answer=days, patience=40_000, refused=frozenset({Reason.TRAP_CALENDAR})),
    "sessions": Trap(answer=sessions, refused=frozenset({Reason.TRAP_SESSION_ID})),
    "permuted": Trap(answer=permuted, real=256, refused=frozenset({Reason.TRAP_QUERY_PERMUTATIONS})),
    "nested": Trap(answer=nested, refused=frozenset({Reason.TRAP_REPEATED_SEGMENTS, Reason.TRAP_PATH_DEPTH})),
    "hops": Trap(answer=hops, patience=500, refused=frozenset({Reason.HOP_LIMIT})),
    "facets": Trap(answer=facets, patience=150_000, refused=frozenset({Reason.TRAP_QUERY_VARIANTS})),
    "maze": Trap(answer=maze, patience=300_000, refused=frozenset({Reason.TRAP_HOST_SIZE})),
}


# --- the server ---------------------------------------------------------------------------------------------------


@contextmanager
def trap_sites(*names: str) -> Iterator[dict[str, str]]:
    """Serve these traps in another process until the block ends; gives the base URL of each."""
    command = [sys.executable, str(Path(__file__)), *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()


class _Site:
    """The count of answers, which all connections of one trap share."""

    def __init__(self, trap: Trap) -> None:
        self._trap = trap
        self._answers = 0

    def answer(self, target: str) -> bytes:
        """The answer in bytes."""
        answer = self._trap.answer(target)
        if answer is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        self._answers += 1
        if self._answers > self._trap.patience:
            answer = Answer(title=answer.title)
        body = _html(answer).encode()
        head = f"302 Found\r\nLocation: {answer.location}" if answer.location else "200 OK"
        return f"HTTP/1.1 {head}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _html(answer: Answer) -> str:
    title = f"<title>{answer.title}</title>" if answer.title else ""
    refresh = f'<meta http-equiv="refresh" content="0; url={escape(answer.refresh)}">' if answer.refresh else ""
    return title + refresh + "".join(f'<a href="{escape(link)}">on</a>' for link in answer.links)


class _Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self, site: _Site) -> None:
        self._site = site
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            target = self._head.split(b" ", 2)[1].decode("latin-1")
            self._head = b""
            self._transport.write(self._site.answer(target))


async def _serve(names: list[str], stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    ports = {}
    for name in names:
        server = await loop.create_server(partial(_Connection, _Site(TRAPS[name])), "127.0.0.1", 0, backlog=4096)
        ports[name] = server.sockets[0].getsockname()[1]
    loop.add_reader(sys.stdin, stop.request_drain)  # nobody writes to it: it becomes readable when it closes
    sys.stdout.write(json.dumps({name: f"http://127.0.0.1:{port}" for name, port in ports.items()}) + "\n")
    sys.stdout.flush()
    await stop.wait_draining()


if __name__ == "__main__":
    raise_open_files()
    run(partial(_serve, sys.argv[1:]))
