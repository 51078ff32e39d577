"""The user's own function, `module:function`, called with each document in the process that reads it.

Rules
- Its result must be JSON, and becomes the `data` of the page's line; None = nothing.
- Any exception costs the page its data, and the page's line reports it; the crawl goes on.
- Its `print` goes to standard error. In a worker, the output of its child processes does too; without workers, bytes
  written to file descriptor 1 reach the caller's standard output.
Runs on: a worker process, or the loop of a crawl without workers.
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain

import msgspec
from selectolax.lexbor import LexborHTMLParser

from crawler.core.errors import ParseError, UsageError
from crawler.core.reasons import Reason
from crawler.core.records import MAX_DATA
from crawler.core.text import error_line, safe
from crawler.encoding import decode
from crawler.parse.select import select

MAX_DEPTH = 100  # nested lists and objects; the readers of the line have a limit, too


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSource:
    """The document that an extracting function is given.

    Attributes:
        url: the address of the document.
        status: of the response.
        content: the bytes, without content codings.
        encoding: the encoding in which the page was read; None = it is no text.
        title, links: as in the page's line: its title, and the distinct URLs of its links.
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
        """The document as text; empty if it is no text."""
        return decode.text(self.content, self.encoding) if self.encoding else ""

    def css(self, selector: str) -> list[str]:
        """Return the texts that a CSS selector finds; it may end with `::text` or `::attr(name)`."""
        return select(LexborHTMLParser(self.text), [("found", selector)]).data["found"]


Extractor = Callable[[PageSource], object]


def load(name: str) -> Extractor:
    """Return the function that `module:function` names; modules are searched in the working directory, too.

    Raises:
        UsageError: the module cannot be imported, or has no such function.
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


def name_of(function: Extractor, *, for_workers: bool) -> str:
    """Return the name by which workers, and a resumed run, import a function.

    A function that they cannot import has a name, too, which `load` refuses.

    Raises:
        UsageError: it is for workers, and they cannot import it.
    """
    module, name = function.__module__, getattr(function, "__qualname__", type(function).__qualname__)
    if getattr(sys.modules.get(module), name, None) is not function:
        name = f"<{name}>"
    if for_workers and (module == "__main__" or name.startswith("<")):
        raise UsageError(
            f"extract: worker processes cannot import {name.strip('<>')!r} of {module}: define it at the top level of"
            " a module of its own, or leave out workers"
        )
    return f"{module}:{name}"


def extract(extractor: Extractor, page: PageSource) -> Mapping[str, object] | None:
    """Return the result of the function for this page.

    Raises:
        ParseError: the function raised, or its result is no JSON, or is too large.
    """
    process = os.getpid()
    try:
        try:
            with redirect_stdout(sys.stderr):
                found = extractor(page)
        finally:
            if os.getpid() != process:
                os._exit(0)  # the function forked, and this is the copy, which must not go on crawling
        check_size(encoded := msgspec.json.encode(found))
        data = msgspec.json.decode(encoded)  # plain JSON values can travel anywhere
    except (MemoryError, ParseError):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit is the function's own, as any other error
        raise ParseError(Reason.EXTRACT_ERROR, error_line(error)) from None
    if _is_deep(data):
        raise ParseError(Reason.EXTRACT_ERROR, f"its lists and objects are nested more than {MAX_DEPTH} deep")
    if data is None:
        return None
    return data if isinstance(data, dict) else {"value": data}


def check_size(data: bytes) -> None:
    """Refuse more data, as JSON, than a page may give.

    Raises:
        ParseError: the data is larger.
    """
    if len(data) > MAX_DATA:
        raise ParseError(Reason.DATA_LIMIT, f"its data takes {len(data)} bytes as JSON, and {MAX_DATA} are taken")


def _is_deep(data: object) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        values = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = list(chain.from_iterable(values))
        if not level:
            return False
    return True
