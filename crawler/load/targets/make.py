"""Targets made from a file, a feed and a URL: read, checked, serialised and put in order, before anything is sent.

Rules
- Without a file, the one target is the request of the command line; a feed makes many requests of it.
- All that can be refused is refused here, before anything is sent.
Runs on: a thread or the main thread, before the test, blocking: a million lines take some ten seconds.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from crawler.load.config import LoadConfig
from crawler.load.target import body_of, target
from crawler.load.targets.formats import IDLE, PARSERS, WRITTEN, format_of
from crawler.load.targets.har import har_entries
from crawler.load.targets.in_memory import FACTS
from crawler.load.targets.line import BrokenLine, FileFacts, LineParser, TargetLine
from crawler.load.targets.serialise import Serialiser
from crawler.load.targets.source import TOO_LONG, opened, read_feed
from crawler.load.targets.store import StoreWriter
from crawler.load.targets.taking import Taking
from crawler.load.targets.targets import Targets
from crawler.load.targets.template import MARK

Reading = TargetLine | BrokenLine | None
"""A line that was read; None = it asks for nothing."""


def wants_targets(url: str | None, config: LoadConfig) -> bool:
    """Return whether a test has more than one request, or a column in it: `make_targets` is to be called then."""
    asked, targets = config.request, config.targets
    texts = [url or "", *(value for _, value in asked.headers)]
    has_mark = any(MARK in text for text in texts) or MARK.encode() in (asked.body or b"")
    return targets.targets is not None or targets.feed is not None or has_mark


def make_targets(url: str | None, config: LoadConfig, folder: Path) -> Targets:
    """Make the requests of a test, in a file in `folder`; with a URL, its server gets all of them.

    Raises:
        UsageError: the file, a line of it, the feed or a combination of them is impossible.
    """
    asked = config.targets
    feed = read_feed(asked.feed) if asked.feed is not None and asked.rows is None else asked.rows
    rows = 1 if feed is None else len(feed)
    with _lines(url, config, folder) as (file, lines), StoreWriter(folder / "targets") as writer:
        base = None if url is None or asked.targets is None else target(url)
        taking = Taking(config, file, Serialiser(base, config.request, feed, file, target), writer, rows)
        taking.take(lines)
        return taking.finish()


@contextmanager
def _lines(url: str | None, config: LoadConfig, folder: Path) -> Iterator[tuple[FileFacts, Iterable[Reading]]]:
    """Yield the facts of the file, and its lines or items; without a file, the request of the command line."""
    asked = config.targets
    if asked.targets is None:
        yield FileFacts(name="the request", is_written=True), [_single(url or "", config)]
        return
    if asked.items is not None:
        yield FACTS, asked.items
        return
    with ExitStack() as stack:
        source = stack.enter_context(opened(asked.targets, asked.option, folder))
        kind = asked.targets_format or format_of(source.head)
        facts = FileFacts(
            name=source.name,
            is_written=kind in WRITTEN,
            unit=": entry " if kind == "har" else ":",
            idle=IDLE.get(kind),
        )
        is_har = kind == "har"
        records = har_entries(stack.enter_context(source.whole()), source.where) if is_har else source.lines()
        stack.enter_context(closing(records))  # entries that were not taken would keep the file mapped
        yield facts, _readings(records, PARSERS[kind])


def _readings(records: Iterable[tuple[int, bytes]], parse: LineParser) -> Iterator[Reading]:
    for number, raw in records:
        try:
            line = None if raw is TOO_LONG else parse(raw, number)
        except ValueError as error:
            yield BrokenLine(number=number, problem=str(error))
        else:
            yield BrokenLine(number=number, problem=TOO_LONG.decode()) if raw is TOO_LONG else line


def _single(url: str, config: LoadConfig) -> TargetLine:
    asked = config.request
    body = body_of(asked)
    method = asked.method or ("GET" if body is None else "POST")
    return TargetLine(method=method, url=url if "://" in url else f"http://{url}", body=body)
