"""The user's own function, `module:function`, called with each document in the process that reads it.

Rules
- What it returns must be JSON: it becomes the `data` of the page's line. None = nothing.
- What it raises costs the page its data, and is told; it is never the crawl's end.
Runs on: a worker process, or the loop of a crawl without workers.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module

import msgspec
from selectolax.lexbor import LexborHTMLParser

from crawler.core.errors import ParseError, UsageError
from crawler.core.reasons import Reason
from crawler.parse import charset
from crawler.parse.select import select

MAX_DATA = 1024 * 1024


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
        return charset.text(self.content, self.encoding) if self.encoding else ""

    def css(self, selector: str) -> list[str]:
        """The texts that a CSS selector finds; `::text` and `::attr(name)` may stand behind it."""
        return select(LexborHTMLParser(self.text), [("found", selector)])["found"]


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
        found = getattr(import_module(module), function) if module and function else None
    except (ImportError, AttributeError) as error:
        raise UsageError(f"extract: {name!r} cannot be imported: {error}") from None
    if not callable(found):
        raise UsageError(f"extract: expected module:function, got {name[:80]!r}")
    extractor: Extractor = found
    return extractor


def extract(extractor: Extractor, page: PageSource) -> Mapping[str, object] | None:
    """What the function gives for this page.

    Raises:
        ParseError: it raised, or gave what is no JSON object, or too much.
    """
    try:
        found = extractor(page)
        encoded = msgspec.json.encode(found)
    except MemoryError:
        raise
    except Exception as error:
        raise ParseError(Reason.EXTRACT_ERROR, f"{type(error).__name__}: {error}") from error
    if len(encoded) > MAX_DATA:
        raise ParseError(Reason.EXTRACT_ERROR, f"it gave {len(encoded)} bytes, and {MAX_DATA} are taken")
    if found is None:
        return None
    data = msgspec.json.decode(encoded)
    return data if isinstance(data, dict) else {"value": data}
