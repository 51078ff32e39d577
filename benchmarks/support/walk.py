"""The pages of a folder of HTML files that links reach, found out without the crawler.

Rules
- The standard library's html.parser reads the pages, urllib.parse joins the links: nothing is shared with the crawler.
- Followed are <a>, <area>, <frame>, <iframe> and <meta http-equiv=refresh>; not what stands in comments, scripts and
  templates. The first <base> of a page counts.
- A page is known by its path with all escapes removed, and its query.
- A folder is served as its index.html (nginx's default), also under its name without the slash, by a redirect.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

Place = tuple[str, str]  # path, query

_SOURCES = {"a": ("href", "xlink:href"), "area": ("href",), "frame": ("src",), "iframe": ("src",)}
_REFRESH = re.compile(r"\s*[\d.]+\s*[;,]\s*(?:url\s*=\s*)?[\"']?([^\"']+)", re.IGNORECASE)
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)


def place(url: str) -> Place:
    """Return the page for which a URL of the site stands."""
    where = urlsplit(url)
    return unquote(where.path, errors="surrogateescape"), where.query


def reachable(root: Path, start: str = "/index.html") -> dict[Place, Path]:
    """Every page that links lead to from the start, it included, and its file."""
    waiting: list[Place] = [(start, "")]
    seen: set[Place] = set()
    found: dict[Place, Path] = {}
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        file = root / here[0].lstrip("/")
        if file.is_dir() and not here[0].endswith("/"):
            waiting.append((here[0] + "/", here[1]))
        elif (page := file / "index.html" if here[0].endswith("/") else file) and _is_page(page):
            found[here] = page
            waiting += _targets(here, page)
    return found


def files(root: Path) -> Iterator[Path]:
    """Every file that nginx can serve: links are followed, though never back up into a folder on the way."""
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        above = {here.resolve(), *here.resolve().parents}
        folders[:] = [name for name in folders if (here / name).resolve() not in above]
        yield from (here / name for name in names if (here / name).is_file())


def url_of(base_url: str, root: Path, file: Path) -> str:
    """Return the URL at which nginx serves a file."""
    return f"{base_url}/{quote(os.fsencode(file.relative_to(root)))}"


def _is_page(file: Path) -> bool:
    return file.suffix.lower() in {".html", ".htm"} and file.is_file()


def _targets(here: Place, page: Path) -> Iterator[Place]:
    """The places of this site that a page links to, pages or not."""
    path, query = here
    url = f"http://here{quote(path, errors='surrogateescape')}{'?' if query else ''}{query}"
    links = _Links(page)
    base = urljoin(url, links.base) if links.base else url
    for link in links.found:
        with suppress(ValueError):  # no URL at all
            where = urljoin(base, link.strip())
            if urlsplit(where)[:2] == ("http", "here"):
                yield place(where)


class _Links(HTMLParser):
    """The links of a page as they are written; `base` None = there is none."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.base: str | None = None
        self._templates = 0
        body = page.read_bytes()
        named = _CHARSET.search(body[:1024])
        try:
            text = body.decode(named[1].decode("ascii") if named else "utf-8", "replace")
        except LookupError:
            text = body.decode("utf-8", "replace")
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in reversed(list(attrs))}  # the first of a name counts
        self._templates += tag == "template"
        if self._templates:
            return
        if tag == "base" and self.base is None:
            self.base = values.get("href")
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.found |= set(_REFRESH.findall(values.get("content", "")))
        elif (name := next((name for name in _SOURCES.get(tag, ()) if name in values), None)) is not None:
            self.found.add(values[name].partition("#")[0])

    def handle_endtag(self, tag: str) -> None:
        self._templates -= tag == "template" and self._templates > 0
