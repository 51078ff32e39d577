"""The request on the wire: the URL as a browser would write it, byte for byte.

The server's own reading of the request line is the witness; nothing between the socket and the test decodes it. What is
expected was written down by hand from the URL standard (https://url.spec.whatwg.org/), not by the parser that we use.
"""

import asyncio
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest

from crawler.core.config import configure
from crawler.downloader.fetcher import HttpFetcher
from crawler.runtime.clock import SystemClock
from support.crawls import crawl, urls
from support.rawserver import raw_server

SPELLINGS = [
    # as it is written, as it is asked for
    ("/Case/Page.HTML", "/Case/Page.HTML"),
    ("/slash", "/slash"),
    ("/slash/", "/slash/"),
    ("/order?b=2&a=1&b=1", "/order?b=2&a=1&b=1"),
    ("/empty?", "/empty?"),
    ("/pairs?&&a=&=b&", "/pairs?&&a=&=b&"),
    ("/%7euser", "/%7euser"),
    ("/~user", "/~user"),
    ("/a%2Fb", "/a%2Fb"),
    ("/a%2fb", "/a%2fb"),
    ("/%41", "/%41"),  # an A needs no escape, but whoever wrote one may mean it
    ("/100%", "/100%"),
    ("/%zz", "/%zz"),
    ("/a+b?c+d", "/a+b?c+d"),
    ("/a b?c d", "/a%20b?c%20d"),
    ("/a;v=1?b;c", "/a;v=1?b;c"),
    ("/a|b?c|d", "/a|b?c|d"),
    ("/a\\b?c\\d", "/a/b?c\\d"),
    ("/[a]^{b}`", "/[a]%5E%7Bb%7D%60"),
    ("/?[a]^{b}`", "/?[a]^{b}`"),
    ("/\"<'>?\"<'>", "/%22%3C'%3E?%22%3C%27%3E"),
    ("/!$&'()*,:=@?!$&()*,:=@?/", "/!$&'()*,:=@?!$&()*,:=@?/"),
    ("/\u00fc/\u65e5?\u00fc", "/%C3%BC/%E6%97%A5?%C3%BC"),
    ("/u\u0308", "/u%CC%88"),  # not composed into one letter
    ("/a//b///", "/a//b///"),
    ("/.//x", "//x"),
    ("/a/./b/../c/.", "/a/c/"),
    ("/%2e%2E/dots/%2e", "/dots/"),
    ("/..a/b../...", "/..a/b../..."),
    ("/part#one", "/part"),
]
TARGETS = [target for _, target in SPELLINGS]

Answer = Callable[[str], tuple[str, str]]
"""For a target, a header line and a body."""


async def asked(answer: Answer, folder: Path, lines: list[str], command: str) -> list[str]:
    """Every request line but that of the front page, method and version off, after a crawl of these lines."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            header, body = (text.encode() for text in answer(target(head)))
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (header, len(body), body))

    async with raw_server(serve) as (host, port), HttpFetcher(configure({}).fetch, clock=SystemClock()) as fetcher:
        origin = f"http://{host}:{port}"
        await crawl(folder, [origin + line for line in lines], fetcher, command=command)
    targets = list(map(target, heads))
    assert sorted(urls(folder).elements()) == sorted(origin + target for target in targets)
    return targets


def target(head: bytes) -> str:
    """The raw target of a request."""
    method, target, version = head.partition(b"\r\n")[0].split(b" ")
    assert (method, version) == (b"GET", b"HTTP/1.1")
    return target.decode("latin-1")


def page(spellings: list[str]) -> str:
    """A page that links to each spelling."""
    return "".join(f'<a href="{escape(spelling)}">x</a>' for spelling in spellings)


async def test_a_link_is_asked_for_as_a_browser_would(tmp_path: Path) -> None:
    """Links of a page that may be told apart by their server are each asked for, once; a fragment never is."""
    links = page([spelling for spelling, _ in SPELLINGS])

    def answer(target: str) -> tuple[str, str]:
        return "200 OK\r\nContent-Type: text/html; charset=utf-8", links if target == "/front" else ""

    found = await asked(answer, tmp_path, ["/front"], "crawl")

    assert found[0] == "/front"
    assert sorted(found[1:]) == sorted(TARGETS)


async def test_a_line_of_a_list_is_asked_for_as_a_browser_would(tmp_path: Path) -> None:
    """A line of a list goes the same way."""
    found = await asked(lambda _: ("200 OK", ""), tmp_path, [spelling for spelling, _ in SPELLINGS], "fetch")

    assert sorted(found) == sorted(TARGETS)


async def test_a_redirect_is_asked_for_as_a_browser_would(tmp_path: Path) -> None:
    """A Location in UTF-8 goes the same way."""

    def answer(target: str) -> tuple[str, str]:
        number = target.removeprefix("/go/")
        return (f"302 Found\r\nLocation: {SPELLINGS[int(number)][0]}" if number != target else "200 OK"), ""

    found = await asked(answer, tmp_path, [f"/go/{number}" for number in range(len(SPELLINGS))], "fetch")

    assert sorted(target for target in found if not target.startswith("/go/")) == sorted(TARGETS)


ALIKE = [
    ("/x", "/x#part"),
    ("/x", "/./x"),
    ("/x", "/y/../x"),
    ("/x", "/%2e/x"),
    ("/a b", "/a%20b"),
    ("/\u00fc", "/%C3%BC"),
    ("/a/b", "\\a\\b"),
    ("/x", "\t/x\n"),
]
APART = [
    ("/x", "/X"),
    ("/x", "/x/"),
    ("/x", "/x?"),
    ("/x", "//x"),
    ("/x?a&b", "/x?b&a"),
    ("/x?a", "/x?A"),
    ("/x?a", "/x?a="),
    ("/x?a", "/x?a&"),
    ("/~x", "/%7Ex"),
    ("/%7Ex", "/%7ex"),
    ("/a/b", "/a%2Fb"),
    ("/a+b", "/a%20b"),
    ("/a;b", "/a%3Bb"),
    ("/x/index.html", "/x/"),
]


@pytest.mark.parametrize(
    ("first", "second", "requests"), [*((*two, 1) for two in ALIKE), *((*two, 2) for two in APART)]
)
async def test_one_resource_is_asked_for_once_and_two_are_two(
    tmp_path: Path, first: str, second: str, requests: int
) -> None:
    """Two spellings are one place only where every browser asks for the same."""
    links = page([first, "/." + second if second.startswith("//") else second])

    def answer(target: str) -> tuple[str, str]:
        return "200 OK\r\nContent-Type: text/html; charset=utf-8", links if target == "/front" else ""

    found = await asked(answer, tmp_path, ["/front"], "crawl")

    assert len(found) == 1 + requests
