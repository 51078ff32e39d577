"""Outcomes of a request for robots.txt, and what is to follow: the data of a test and of a table in the docs.

Rules
- A condition is what a server on loopback does, byte by byte. Its rules forbid `/forbidden`.
- A copy from before, where there is one, forbids `/forbidden` and `/old`; it is an hour old (fresh), or a day (stale).
"""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import Enum

from crawler.core.reasons import Reason
from crawler.robots.parser import LONGEST
from crawler.testing import FakeClock

HOUR = 3600
RULES = b"User-agent: *\nDisallow: /forbidden\n"
COPY = b"User-agent: *\nDisallow: /forbidden\nDisallow: /old\n"
PATHS = ("/forbidden", "/allowed", "/old")
NEVER = b"never"  # an answer that does not come
OTHER, DEAD = "{other}", "{dead}"  # origins: of another server, and of a port where nobody listens


class State(Enum):
    """The copy that is known before."""

    NONE = "no copy"
    FRESH = "fresh copy"
    STALE = "stale copy"


class Effect(Enum):
    """The meaning of an answer."""

    RULES = "its rules hold"
    OPEN = "everything is allowed"
    UNREACHABLE = "nothing is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that may happen; `pages` are what the server says at each path, `{other}` standing for another host."""

    name: str
    effect: Effect
    pages: Mapping[str, bytes] = field(default_factory=dict)
    reason: Reason | None = None
    retry_after: float | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The right outcome: a verdict for each of PATHS, and the seconds until the server is asked again.

    `again` None = that is for the engine to say, which is told the reason and what Retry-After asked.
    """

    allowed: tuple[bool, ...]
    again: int | None
    reason: Reason | None = None
    retry_after: float | None = None


def outcome(condition: Condition, state: State) -> Outcome:
    """Return the right outcome."""
    if state is State.FRESH:
        return Outcome((False, True, False), 23 * HOUR)
    if condition.effect is Effect.RULES:
        return Outcome((False, True, True), 24 * HOUR)
    if condition.effect is Effect.OPEN:
        return Outcome((True, True, True), 24 * HOUR)
    if state is State.STALE:
        return Outcome((False, True, False), 2 * HOUR, None, condition.retry_after)
    return Outcome((False, False, False), None, condition.reason, condition.retry_after)


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """An answer in full."""
    lines = (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def _to(location: str, status: int = 301) -> bytes:
    return http(status, b"moved", f"Location: {location}")


def _chain(hops: int, last: bytes) -> dict[str, bytes]:
    steps = {f"/{hop}": _to(f"/{hop + 1}", 302) for hop in range(1, hops)}
    return {"/robots.txt": _to("/1", 307), **steps, f"/{hops}": last}


def _conditions() -> Iterator[Condition]:
    padding = b"# padding\n" * (LONGEST // 10)
    for name, answer in {
        "200, rules": http(200, RULES),
        "200, rules, sent as text/html": http(200, RULES, "Content-Type: text/html"),
        "200, rules behind a byte order mark": http(200, b"\xef\xbb\xbf" + RULES),
        "200, rules with CR line ends": http(200, RULES.replace(b"\n", b"\r")),
        "200, rules among bytes that are no text": http(200, b"\xff\xfe\0\n" + RULES + b"\0\x80"),
        "200, rules, gzip": http(200, gzip.compress(RULES), "Content-Encoding: gzip"),
        "200, rules, in a coding that nobody knows": http(200, RULES, "Content-Encoding: utf-8"),
        "200, 2 MB, the rule within 512 KiB": http(200, RULES + padding * 4),
        "200, 2 MB, gzip, the rule within 512 KiB": http(
            200, gzip.compress(RULES + padding * 4), "Content-Encoding: gzip"
        ),
        "206, rules": http(206, RULES),
    }.items():
        yield Condition(name=name, effect=Effect.RULES, pages={"/robots.txt": answer})
    yield Condition(
        name="301 to another host with rules",
        effect=Effect.RULES,
        pages={"/robots.txt": _to(f"{OTHER}/rules"), "other/rules": http(200, RULES)},
    )
    yield Condition(name="five redirects to rules", effect=Effect.RULES, pages=_chain(5, http(200, RULES)))
    for name, answer in {
        "200, empty": http(200),
        "200, a page in HTML": http(200, b"<!doctype html><title>A</title><p>Disallow us", "Content-Type: text/html"),
        "200, garbage": http(200, bytes(range(256)) * 40),
        "200, 2 MB, the rule behind 512 KiB": http(200, padding * 2 + RULES + padding * 2),
        "204": b"HTTP/1.1 204 X\r\nConnection: close\r\n\r\n",
        "304": b"HTTP/1.1 304 X\r\nConnection: close\r\n\r\n",
        "301 without a Location": http(301),
        "301 to what is no URL": _to("http://[/"),
        "a redirect to itself": _to("/robots.txt"),
        **{f"{status}": http(status, RULES) for status in (400, 401, 403, 404, 410, 451)},
    }.items():  # fmt: skip
        yield Condition(name=name, effect=Effect.OPEN, pages={"/robots.txt": answer})
    yield Condition(name="six redirects to rules", effect=Effect.OPEN, pages=_chain(6, http(200, RULES)))
    yield Condition(
        name="301 to another host's 404",
        effect=Effect.OPEN,
        pages={"/robots.txt": _to(f"{OTHER}/x"), "other/x": http(404)},
    )
    later = formatdate(FakeClock().wall() + 60, usegmt=True)
    for name, answer, asked in (
        ("429", http(429, RULES), None),
        ("429, Retry-After: 7", http(429, RULES, "Retry-After: 7"), 7.0),
        ("500", http(500, RULES), None),
        ("503, Retry-After: a date in a minute", http(503, RULES, f"Retry-After: {later}"), 60.0),
        ("503, Retry-After: a day", http(503, RULES, "Retry-After: 86400"), 3600.0),
        ("599", http(599, RULES), None),
    ):
        yield Condition(
            name=name,
            effect=Effect.UNREACHABLE,
            pages={"/robots.txt": answer},
            reason=Reason.ROBOTS_UNREACHABLE,
            retry_after=asked,
        )
    for name, answer, reason in (
        ("closed without an answer", b"", Reason.CONNECTION_LOST),
        ("no answer in time", NEVER, Reason.FIRST_BYTE_TIMEOUT),
        ("a head that breaks off", b"HTTP/1.1 200 OK\r\nContent-Le", Reason.TRUNCATED),
        ("a body that breaks off", http(200, RULES).replace(b"Length: ", b"Length: 9"), Reason.TRUNCATED),
        ("a body that stops coming", http(200, RULES).replace(b"Length: ", b"Length: 9") + NEVER, Reason.IDLE_TIMEOUT),
        ("an answer that is not HTTP", b"220 mail.example ESMTP\r\n\r\n", Reason.PROTOCOL_ERROR),
        ("301 to a host that refuses", _to(f"{DEAD}/robots.txt"), Reason.ROBOTS_UNREACHABLE),
        ("301 into a private network", _to("http://10.0.0.1/robots.txt"), Reason.BLOCKED_ADDRESS),
    ):
        yield Condition(name=name, effect=Effect.UNREACHABLE, pages={"/robots.txt": answer}, reason=reason)
    yield Condition(
        name="connection refused", effect=Effect.UNREACHABLE, reason=Reason.CONNECT_REFUSED, refused=True
    )  # fmt: skip


CONDITIONS = tuple(_conditions())


# --- the table -------------------------------------------------------------------------------------------------------


def table() -> str:
    """The same in Markdown."""
    rows = [
        "| the server answers | copy | `/forbidden` | `/allowed` | `/old` | asked again |",
        "|---|---|---|---|---|---|",
        _row("anything", "fresh", outcome(CONDITIONS[0], State.FRESH)),
    ]
    for condition in CONDITIONS:
        rows.append(_row(condition.name, "none", outcome(condition, State.NONE)))
        rows.append(_row("", "stale", outcome(condition, State.STALE)))
    return "\n".join(rows)


def _row(name: str, copy: str, outcome: Outcome) -> str:
    verdicts = " | ".join("allowed" if allowed else "refused" for allowed in outcome.allowed)
    return f"| {name} | {copy} | {verdicts} | {_again(outcome)} |"


def _again(outcome: Outcome) -> str:
    if outcome.again is not None:
        hours = outcome.again // HOUR
        return f"in {hours} hour" if hours == 1 else f"in {hours} hours"
    asked = f", after {outcome.retry_after:g} s" if outcome.retry_after else ""
    retried = outcome.reason is not None and outcome.reason.is_transient
    return f"{'as a retry' if retried else 'with the next URL'}{asked}: `{outcome.reason}`"
