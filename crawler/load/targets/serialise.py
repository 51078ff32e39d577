"""Requests made from the lines of a file of targets, before the test.

Rules
- With a URL on the command line, each request goes to its origin; only path and query are the line's. Without one, each
  line names its own host. At most 16 different origins: each has its own address, guard and connections.
- A header of the command line replaces the line's of that name.
- A value of a feed stays within its place: one that would change the path (`..`), or that a header cannot hold, is
  refused with its line in the feed.
- A URL is sent as a browser sends it: canonical, without its fragment. A password in it is refused, never dropped.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from crawler.core.errors import UrlError, UsageError
from crawler.core.text import safe
from crawler.core.urls import Url, parse
from crawler.load.config import RequestConfig
from crawler.load.message import message
from crawler.load.targets.feed import Feed
from crawler.load.targets.line import FileFacts, TargetLine
from crawler.load.targets.template import MARK, Escape, Template, in_body, in_header, in_url, template

MOST_ORIGINS = 16
_ORIGIN = re.compile(r"([A-Za-z]+://[^/?#]*)(.*)", re.DOTALL)
_MOST_TAILS = 1000
# A target that is canonical as it stands: nothing to encode, and no segment that begins with a dot.
_CANONICAL = re.compile(r"(?!.*/\.)/[A-Za-z0-9/_~=&?!$()*+,;:@.-]{0,8000}")


class Serialiser:
    """Makes the bytes of requests, and collects the origins that they go to.

    Args:
        base: the URL of the command line; None = each line names its own host.
        asked: options of the request; `${column}` in its headers is filled in, too.
        locate: turns the text of an origin into a URL, or raises UsageError.
    """

    def __init__(
        self, base: Url | None, asked: RequestConfig, feed: Feed | None, file: FileFacts, locate: Callable[[str], Url]
    ) -> None:
        self.origins: list[Url] = []
        self._file = file
        self._locate = locate
        self._base = None if base is None else self._add(base)
        self._asked = asked
        self._feed = feed
        self._replaced = {name.lower() for name, _ in asked.headers}
        self._by_text: dict[str, int] = {}
        self._tails: dict[tuple[int, str, tuple[tuple[str, str], ...]], bytes] = {}
        self._fills_all = any(MARK in value for _, value in asked.headers)
        self.has_filled = False

    def is_template(self, line: TargetLine) -> bool:
        """Return whether a line's request has columns, or a `$${`."""
        return self._fills_all or (
            self._file.is_written
            and (
                MARK in line.url
                or (line.body is not None and MARK.encode() in line.body)
                or any(MARK in value for _, value in line.headers)
            )
        )

    def plain(self, line: TargetLine) -> tuple[bytes, int]:
        """Return the request of a line without columns, and the number of its origin.

        Raises:
            ValueError: the line's URL cannot be asked for.
        """
        origin, target = self._located(line.url)
        if line.body is not None:
            return self._message(line, self._url(origin, target), line.headers, line.body, self._asked), origin
        key = (origin, line.method, line.headers)
        tail = self._tails.get(key)
        if tail is None:
            if len(self._tails) > _MOST_TAILS:
                self._tails.clear()
            whole = self._message(line, self._url(origin, target), line.headers, None, self._asked)
            tail = self._tails[key] = whole[whole.index(b" HTTP/1.1\r\n") :]
        return b"%b %b%b" % (line.method.encode(), target.encode(), tail), origin

    def filled(self, line: TargetLine) -> Iterator[tuple[bytes, int]]:
        """Yield the request of each row of the feed, or the only one of a line that has just a `$${`.

        Raises:
            UsageError: a template or a value is impossible.
            ValueError: the line's URL cannot be asked for.
        """
        where = self._file.place(line.number)
        try:
            form = _Form(line, self._asked, self._file)
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
        if not form.columns:
            yield self._of_row(line, form, {})
            return
        found = _ORIGIN.fullmatch(line.url)
        if found and self._file.is_written and MARK in found[1]:
            raise UsageError(f"{where}: {safe(found[1], 60)}: ${{column}} may stand in path and query, not in the host")
        feed, first = self._feed, form.columns[0]
        if feed is None:
            raise UsageError(
                f"{where}: ${{{safe(first, 40)}}}: give --feed FILE with this column, or write $${{ to send it as is"
            )
        for column in form.columns:
            if column not in feed.columns:
                has = ", ".join(safe(name, 40) for name in feed.columns)
                raise UsageError(f"{where}: ${{{safe(column, 40)}}}: {feed.name} has no such column; it has {has}")
        self.has_filled = True
        for row in range(len(feed)):
            try:
                yield self._of_row(line, form, feed.values(row))
            except ValueError as error:
                raise UsageError(f"{feed.name}:{feed.lines[row]}: for {where}: {error}") from None

    def _of_row(self, line: TargetLine, form: "_Form", values: dict[str, str]) -> tuple[bytes, int]:
        text = form.url.fill(values, in_url)
        origin, target = self._located(text)
        if form.url.columns and target.partition("?")[0].count("/") != _path(text).count("/"):
            raise ValueError("a value of . or .. would change the path")
        headers = tuple((name, value.fill(values, in_header)) for name, value in form.headers)
        own = tuple((name, value.fill(values, in_header)) for name, value in form.own)
        body = line.body if form.body is None else form.body.fill(values, form.escape).encode()
        asked = replace(self._asked, headers=own)
        return self._message(line, self._url(origin, target), headers, body, asked), origin

    def _message(
        self, line: TargetLine, url: Url, headers: tuple[tuple[str, str], ...], body: bytes | None, asked: RequestConfig
    ) -> bytes:
        if self._replaced:
            headers = tuple((name, value) for name, value in headers if name.lower() not in self._replaced)
        try:
            return message(asked, url, method=line.method, headers=headers, body=body)
        except UsageError as error:
            raise ValueError(str(error)) from None

    # Places

    def _url(self, origin: int, target: str) -> Url:
        place = self.origins[origin]
        return Url(place.origin + target, place.scheme, place.host, place.port)

    def _located(self, text: str) -> tuple[int, str]:
        """Return the origin's number, and the canonical path and query, of a line's URL or path."""
        path = text
        origin = self._base
        if not text.startswith("/"):
            found = _ORIGIN.fullmatch(text)
            if found is None:
                raise ValueError(f"{safe(text, 60)!r} is no URL")
            site, path = found[1], found[2]
            if not path.startswith("/"):
                path = f"/{path}"
            if origin is None and (origin := self._by_text.get(site)) is None:
                origin = self._by_text[site] = self._found(site)
        if origin is None:
            raise ValueError("a path alone: give the URL of the server on the command line, or write the whole URL")
        return origin, canonical_target(path)

    def _found(self, site: str) -> int:
        if MARK in site:
            raise UsageError(
                f"{self._file.name}: {safe(site, 60)}: ${{column}} may stand in path and query, not in the host"
            )
        if "@" in site:
            raise ValueError("a password in a URL: give it as a header, --header 'Authorization: Basic ...'")
        try:
            return self._add(self._locate(site))
        except UsageError as error:
            raise ValueError(str(error)) from None

    def _add(self, url: Url) -> int:
        root = Url(f"{url.origin}/", url.scheme, url.host, url.port)
        if root not in self.origins:
            if len(self.origins) == MOST_ORIGINS:
                shown = ", ".join(place.origin for place in self.origins[:3])
                raise UsageError(
                    f"{self._file.name}: more than {MOST_ORIGINS} servers ({shown}...): take fewer, or give the URL of"
                    " one server, which then gets all requests"
                )
            self.origins.append(root)
        return self.origins.index(root)


class _Form:
    """A line with its templates read; a line that was recorded has none."""

    def __init__(self, line: TargetLine, asked: RequestConfig, file: FileFacts) -> None:
        read = template if file.is_written else _literal
        self.url = read(line.url)
        self.headers = [(name, read(value)) for name, value in line.headers]
        self.own = [(name, template(value)) for name, value in asked.headers]
        self.body: Template | None = None
        self.escape: Escape = in_body([*asked.headers, *line.headers])
        if line.body is not None and MARK.encode() in line.body:
            with suppress(UnicodeDecodeError):  # bytes of another kind are sent as they are
                self.body = read(line.body.decode())
        texts = [self.url, *(value for _, value in (*self.headers, *self.own)), *([self.body] if self.body else [])]
        self.columns = tuple(dict.fromkeys(column for text in texts for column in text.columns))


def canonical_target(path: str) -> str:
    """Return a path with its query as it is sent.

    Raises:
        ValueError: it is too long, or cannot be sent.
    """
    if _CANONICAL.fullmatch(path):
        return path
    try:
        return parse(f"http://h{path}").target
    except UrlError as error:
        raise ValueError(str(error)) from None


def _literal(text: str) -> Template:
    return Template((text,))


def _path(text: str) -> str:
    """Return the path of a filled URL, as written."""
    found = _ORIGIN.fullmatch(text)
    path = (found[2] if found else text).partition("?")[0].partition("#")[0]
    return path if path.startswith("/") else f"/{path}"
