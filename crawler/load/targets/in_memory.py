"""Targets and rows of a feed that a script has in memory, in the place of a file.

Rules
- A target is a line as in a list of targets, `"POST /cart weight=3"`, or a mapping: `url`, and `method`, `headers`,
  `body`, `weight`, `tag`. Its URL is absolute or a path. Without a method it is GET, or POST with a body.
- A misspelt key is refused: it would change what is sent. `${column}` begins a column, as in a list of targets.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Mapping
from typing import TypedDict

import msgspec

from crawler.core.errors import UsageError
from crawler.core.keywords import Pairs, pairs_of
from crawler.load.targets.feed import Feed, feed_of
from crawler.load.targets.line import (
    BrokenLine,
    FileFacts,
    TargetLine,
    checked_headers,
    checked_method,
    checked_url,
)
from crawler.load.targets.text_lines import parse_text, weight_of

FACTS = FileFacts(name="targets", is_written=True, unit=": item ")
_FEED = "feed"


class _Required(TypedDict):
    url: str


class LoadTarget(_Required, total=False):
    """A target of a load test, as a mapping."""

    method: str
    headers: Pairs
    body: bytes | str
    weight: float
    tag: str


_KEYS = LoadTarget.__required_keys__ | LoadTarget.__optional_keys__


def readings(items: object) -> tuple[TargetLine | BrokenLine | None, ...]:
    """Return the target of each item, or the problem with it; None for a blank line.

    Raises:
        UsageError: they are no list.
    """
    if isinstance(items, bytes | Mapping) or not isinstance(items, Iterable):
        raise UsageError("--targets: expected a path, or a list of targets such as ['/', {'url': '/items'}]")
    return tuple(_reading(item, number) for number, item in enumerate(items, 1))


def feed_of_rows(rows: object) -> Feed:
    """Return the feed with these rows, each a mapping from column to value.

    Raises:
        UsageError: one of them is none.
    """
    if isinstance(rows, bytes | Mapping) or not isinstance(rows, Iterable):
        raise UsageError("--feed: expected a path, or a list of rows such as [{'id': 1}, {'id': 2}]")
    lines = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise UsageError(f"--feed: row {number}: expected a mapping such as {{'id': 1}}, got {row!r:.60}")
        try:
            lines.append(msgspec.json.encode(dict(row)).decode())
        except (TypeError, ValueError, UnicodeError) as error:
            raise UsageError(f"--feed: row {number}: {error}") from None
    return feed_of(_FEED, lines)


def _reading(item: object, number: int) -> TargetLine | BrokenLine | None:
    try:
        return parse_text(item.encode(), number) if isinstance(item, str) else _line(item, number)
    except (ValueError, UsageError) as error:
        return BrokenLine(number=number, problem=str(error))


def _line(item: object, number: int) -> TargetLine:
    if not isinstance(item, Mapping):
        raise ValueError(f"expected a line such as 'GET /items', or a mapping such as {{'url': '/'}}, got {item!r:.60}")
    for key in item:
        if key not in _KEYS:
            raise ValueError(f"there is no key {key!r:.40}; known: {', '.join(sorted(_KEYS))}")
    url, method, body, tag = (item.get(key) for key in ("url", "method", "body", "tag"))
    content = body.encode() if isinstance(body, str) else body
    if not isinstance(url, str) or not isinstance(content, bytes | None) or not isinstance(tag, str | None):
        raise ValueError("expected a text as url and tag, and bytes or a text as body")
    return TargetLine(
        method=checked_method(str(method or ("GET" if content is None else "POST"))),
        url=checked_url(url),
        headers=checked_headers(pairs_of("headers", item.get("headers") or ())),
        body=content or None,
        weight=weight_of(item.get("weight", 1.0)),
        tag=tag or None,
        number=number,
    )
