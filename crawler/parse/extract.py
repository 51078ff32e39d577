"""The user's own function, `module:function`, called with each document in the process that reads it.

Rules
- What it returns must be JSON: it becomes the `data` of the page's line. None = nothing.
- What it raises, whatever it is, costs the page its data, and is told; it is never the crawl's end.
- What it prints goes to standard error. (In a worker that holds for whatever it starts, too; without workers only for
  Python's own `print`, so what it writes to file descriptor 1 is the caller's.)
Runs on: a worker process, or the loop of a crawl without workers.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module

import msgspec
from selectolax.lexbor import LexborHTMLParser

from crawler.core.errors import ParseError, UsageError
from crawler.core.reasons import Reason
from crawler.core.records import MAX_DATA
from crawler.core.text import error_line, safe
from crawler.encoding import decode
from crawler.parse.select import select

MAX_DEPTH = 100  # of lists and objects in each other; those who read the line have a limit, too


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSource:
    """What an extracting function is given.

    Attributes:
        url: where the document came from.
        status: of the response.
        content: the bytes, without content codings.
        encoding: what the text is written in, as the page was read; None = it is no text.
        title, links: as in the page's line: its title, and the different URLs that it points at.
    """

    url: str
    status: int
    content_type: str | None
    content: bytes = field(repr=False)
    encoding: str | None = None
    title: str | None = None
    links: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The document as text; empty where it is none."""
        return decode.text(self.content, self.encoding) if self.encoding else ""

    def css(self, selector: str) -> list[str]:
        """The texts that a CSS selector finds; `::text` and `::attr(name)` may stand behind it."""
        return select(LexborHTMLParser(self.text), [("found", selector)]).data["found"]


Extractor = Callable[[PageSource], object]


def load(name: str) -> Extractor:
    """The function that `module:function` names; modules are looked for in the working directory, too.

    Raises:
        UsageError: there is none.
    """
    module, _, function = name.partition(":")
    if "" not in sys.path:
        sys.path.append("")
    try:
        with redirect_stdout(sys.stderr):
            found = getattr(import_module(module), function) if module and function else None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too, while it is imported
        raise UsageError(f"--extract: {safe(name, 80)!r} cannot be imported: {error_line(error)}") from None
    if not callable(found):
        raise UsageError(f"--extract: expected module:function, got {name[:80]!r}")
    extractor: Extractor = found
    return extractor


def extract(extractor: Extractor, page: PageSource) -> Mapping[str, object] | None:
    """What the function gives for this page.

    Raises:
        ParseError: it raised, or gave what is no JSON, or too much.
    """
    try:
        found = _call(extractor, page)
        check_size(encoded := msgspec.json.encode(found))
        data = msgspec.json.decode(encoded)  # what is JSON now is JSON wherever it goes
    except (MemoryError, ParseError):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit and the like are the function's own, as any other
        raise ParseError(Reason.EXTRACT_ERROR, error_line(error)) from None
    if _is_deep(data):
        raise ParseError(Reason.EXTRACT_ERROR, f"its lists and objects are nested more than {MAX_DEPTH} deep")
    if data is None:
        return None
    return data if isinstance(data, dict) else {"value": data}


def _call(extractor: Extractor, page: PageSource) -> object:
    process = os.getpid()
    try:
        with redirect_stdout(sys.stderr):
            return extractor(page)
    finally:
        if os.getpid() != process:
            os._exit(0)  # the function forked, and this is the copy: nobody needs a second crawl


def check_size(data: bytes) -> None:
    """Refuse more data, as JSON, than a page may give.

    Raises:
        ParseError: it is more.
    """
    if len(data) > MAX_DATA:
        raise ParseError(Reason.DATA_LIMIT, f"its data takes {len(data)} bytes as JSON, and {MAX_DATA} are taken")


def _is_deep(data: object) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(data: object) -> Iterable[object]:
    if isinstance(data, dict):
        return data.values()
    return data if isinstance(data, list) else ()
