"""Notes to the user before a run begins: about the contact, cookies, and the meaning of the seeds.

Only the first 64 KiB of a list are read for them.
Runs on: the main thread.
"""

from collections.abc import Iterator
from itertools import chain

from crawler.cli.defaults import defaults_file
from crawler.core.config import FetchConfig, RunConfig
from crawler.core.finds import Find
from crawler.core.leases_and_commits import SeedBatch
from crawler.core.rate_limits import is_loopback
from crawler.core.scope import Scope, ScopeMode
from crawler.core.text import counted, safe
from crawler.downloader.cookies_file import load_cookies
from crawler.engine.seeds import Seeds
from crawler.run.list_reader import BatchBuilder, LineSplitter

_LOOKED_AT = 64 * 1024  # bytes of the list


def notes(config: RunConfig, seeds: Seeds, *, follows: bool) -> list[str]:
    """Return all notes; `seeds` is the run's list, and `follows` = links are followed from it."""
    with seeds.path.open("rb") as file:
        block = file.read(_LOOKED_AT)
    splitter, builder = LineSplitter(), BatchBuilder(tables=seeds.tables)
    last = splitter.finish() if len(block) < _LOOKED_AT else ()
    for line, offset in chain(splitter.feed(block), last):
        builder.add(line, offset)
    beginning = builder.build(last=True)
    finds = beginning.finds
    scope = scope_note(config.scope.scope, finds) if follows else None
    return [note for note in (*_reading_notes(beginning), contact_note(config.fetch, finds), scope) if note]


def _reading_notes(beginning: SeedBatch) -> Iterator[str]:
    """Yield notes on lines that are not read as they stand; the summary counts them all."""
    if guess := next((find for find in beginning.finds if find.guess), None):
        which = guess.url.href.removeprefix("https://").removesuffix("/")
        more = " (and others)" if beginning.guessed > 1 else ""
        yield f"note: {safe(which, 100)}{more}: no scheme, so https:// is asked first, then http://"
    if beginning.unwrapped:
        yield "note: the quotes or brackets around lines of the list are taken off"
    urls = () if any(find.way.sitemap for find in beginning.finds) else [find.url.target for find in beginning.finds]
    mark = next((mark for mark in ",;|" if all(mark in url for url in urls)), None)
    if mark is not None and len(urls) > 1:  # rows of a table, as a rule
        yield f"note: each URL of the list has a {mark!r} in it: if its lines are rows of a table, say --column 1"


def contact_note(config: FetchConfig, seeds: tuple[Find, ...]) -> str | None:
    """Return the note to a user who visits other people's servers without a contact; None = there is none."""
    if config.contact or config.is_renamed or all(is_loopback(find.url.host_port) for find in seeds):
        return None
    return (
        "note: no server can tell whom to ask about this crawler. Say so once, with a line such as\n"
        f'        contact = "you@example.org"\n      in {safe(str(defaults_file()))} (or each time, with --contact)'
    )


def cookies_note(config: FetchConfig, now: float) -> str | None:
    """Return the note on expired cookies, since pages may then ask for a login; None = there is none."""
    cookies = load_cookies(config)
    if expired := sum(cookie.is_expired(now) for cookie in cookies):
        return f"note: --load-cookies: {counted(expired, 'cookie')} of {len(cookies):,} expired, and will not be sent"
    if config.cookies_file is not None and not cookies:
        return "note: --load-cookies: the file holds no cookie"
    return None


def scope_note(mode: str, seeds: tuple[Find, ...]) -> str | None:
    """Return the note to a user who may have meant the folder `docs` with http://h/docs; None = there is none.

    The folder of that URL is `/`, as in wget (`--no-parent`) and Heritrix. Another seed that has it in scope means it.
    """
    if mode != ScopeMode.PREFIX:
        return None
    scope = Scope(mode)
    meant = {scope.brings(find.url) for find in seeds if not _may_be_a_folder(find)}
    for find in filter(_may_be_a_folder, seeds):
        if meant.isdisjoint(scope.places(find.url)):
            path = find.url.href.partition("?")[0]
            folder = path[: path.rindex("/") + 1]
            return f"note: scope prefix: {safe(folder, 200)} (end the URL with / to crawl only {safe(path, 200)}/)"
    return None


def _may_be_a_folder(find: Find) -> bool:
    """Return whether the last part of its path has no dot, as a folder's name has none, and some pages' names."""
    name = find.url.target.partition("?")[0].rpartition("/")[2]
    return bool(name) and "." not in name and not find.way.sitemap
