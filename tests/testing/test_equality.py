"""testing.transport: a Fetcher over FakeTransport does what it does over a real server."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from crawler.core.errors import FetchError
from crawler.downloader.client import Fetcher
from crawler.downloader.fetched import Fetched
from crawler.testing import FakeAnswer, FakeTransport
from support.rawserver import raw_server

Pages = dict[str, list[FakeAnswer]]
Sent = tuple[str, str, tuple[tuple[str, str], ...], bytes]
Told = tuple[list[object], list[Sent]]
Steps = Callable[[Fetcher, str], Awaitable[list[Fetched]]]

CASES: dict[str, tuple[Pages, dict[str, Any], Steps]] = {}


def case(pages: Pages, **options: Any) -> Callable[[Steps], Steps]:
    """Name a case: the answers by path, the options of the Fetcher, and the steps of the function."""

    def named(steps: Steps) -> Steps:
        CASES[steps.__name__] = (pages, options, steps)
        return steps

    return named


def to(location: str, status: int = 302, *headers: tuple[str, str]) -> list[FakeAnswer]:
    """Return a redirect."""
    return [FakeAnswer(status, b"moved", [("Location", location), *headers])]


HELLO = [FakeAnswer(body="gr\u00fc\u00dfe")]


@case({"/": HELLO})
async def plain(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Ask for a page, with and without a query."""
    return [await fetcher.get(at), await fetcher.get(at, params={"a": ["1", "\u00e4"]})]


@case({"/a": to("/b"), "/b": to("c?d=1#e", 301), "/c?d=1": HELLO})
async def redirects(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Follow redirects, and leave one."""
    return [await fetcher.get(at + "a"), await fetcher.get(at + "a", follow_redirects=False)]


@case({"/a": to("/b", 303), "/b": HELLO, "/keeps": to("/b", 307)})
async def redirects_of_a_post(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Follow redirects of a form, which 303 makes a GET."""
    return [await fetcher.post(at + path, data={"x": "1"}) for path in ("a", "keeps")]


@case({"/a": to("/b"), "/b": to("/a"), "/far": to("/far2"), "/far2": to("/far3"), "/far3": HELLO}, max_redirects=1)
async def too_many_redirects(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Meet a circle and a chain that is too long."""
    return [page async for page in fetcher.stream([at + "a", at + "far"], ordered=True)]


@case({"/a": to("http://10.0.0.1/"), "/b": to("file:///etc/passwd")})
async def redirects_that_are_refused(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Meet redirects into a private network and to a file."""
    return [page async for page in fetcher.stream([at + "a", at + "b"], ordered=True)]


COOKIES = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "deep=2; Path=/deep"), ("Set-Cookie", "old=3; Max-Age=0")]


@case({"/in": to("/deep/x", 302, *COOKIES), "/deep/x": HELLO, "/": HELLO}, cookies={"told": "4"})
async def cookies(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Keep cookies, and send them beside those that were told."""
    return [await fetcher.get(at + "in"), await fetcher.get(at, cookies={"a": "own"}), await fetcher.get(at)]


@case({"/": [FakeAnswer(503), FakeAnswer(429, headers={"Retry-After": "7"}), *HELLO]})
async def retries(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Try again after 503 and 429."""
    return [await fetcher.get(at), await fetcher.get(at)]


@case({"/": [FakeAnswer(500, "broken")]}, retries=1)
async def retries_that_end(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Give up, and repeat no POST."""
    return [await fetcher.get(at), await fetcher.post(at, content="once")]


@case({"/": HELLO, "/r": to("/")}, auth=("me", "pass"), headers={"X-Team": "data"}, user_agent="mine/1")
async def credentials(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Send credentials and headers of the Fetcher and of a request."""
    return [await fetcher.get(at + "r"), await fetcher.get(at, bearer="token", headers={"x-team": "other"})]


@case(
    {"/": [FakeAnswer(401, headers={"WWW-Authenticate": "Basic"}), *HELLO]},
    auth=lambda request: "Own " + request.url[-1],
)
async def computed_credentials(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Answer a challenge by a function."""
    return [await fetcher.get(at), await fetcher.get(at)]


@case({"/": [FakeAnswer(body=b"x" * 300_000)]})
async def longest_body(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Take a body of the limit, and refuse one byte more."""
    return [await fetcher.get(at), await fetcher.get(at, max_body=300_000), await fetcher.get(at, max_body=299_999)]


PACKED = gzip.compress(b"packed " * 1000)


@case(
    {
        "/": [FakeAnswer(body=PACKED, headers={"Content-Encoding": "gzip"})],
        "/broken": [FakeAnswer(body=PACKED[:-9], headers={"Content-Encoding": "gzip"})],
    }
)
async def gzip_content(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Unpack content, and refuse what is broken."""
    return [page async for page in fetcher.stream([at, at + "broken"], ordered=True)]


@case({"/": [FakeAnswer(body=PACKED, headers={"Content-Encoding": "gzip"})]}, max_decoded=100)
async def longest_content(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Refuse content that unpacks to more than the limit."""
    return [await fetcher.get(at)]


@case({"/": HELLO, "/none": [FakeAnswer(204)], "/same": [FakeAnswer(304)], "/gone": [FakeAnswer(410, "gone")]})
async def answers_without_a_body(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Ask for a head, and meet answers that have no body."""
    return [await fetcher.head(at), *[await fetcher.get(at + path) for path in ("none", "same", "gone")]]


@case({"/": HELLO})
async def bodies(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Send JSON, pieces, an empty body and none."""
    return [
        await fetcher.post(at, json={"a": [1]}),
        await fetcher.put(at, content=iter([b"one", b"two"])),
        await fetcher.post(at, content=b""),
        await fetcher.post(at),
        await fetcher.delete(at),
    ]


@case({"/": HELLO, "/a": to("/")}, on_request=lambda request: seen.append((request.attempt, request.hops)))
async def hooks(fetcher: Fetcher, at: str) -> list[Fetched]:
    """Tell a hook of each request."""
    seen.clear()
    pages = [await fetcher.get(at + "a", extra=1)]
    assert seen == [(0, 0), (0, 1)]
    return pages


seen: list[tuple[int, int]] = []


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("name", CASES)
async def test_the_fake_network_is_as_the_real_one(name: str) -> None:
    """The same answers give the same results, errors and requests, header by header, over sockets and without."""
    real = await over_sockets(*CASES[name])
    fake = await over_the_fake(*CASES[name])

    assert fake == real
    assert real[1]


async def over_sockets(pages: Pages, options: dict[str, Any], steps: Steps) -> Told:
    """Take the steps over a server on loopback."""
    server = AnswerServer(pages)
    async with raw_server(server) as where, Fetcher(**options) as fetcher:
        at = f"http://127.0.0.1:{where[1]}/"
        results = await taken(steps, fetcher, at)
    return results, [sent(*request, at) for request in server.requests]


async def over_the_fake(pages: Pages, options: dict[str, Any], steps: Steps) -> Told:
    """Take the steps over the fake."""
    at = "http://127.0.0.1:8000/"
    transport = FakeTransport({at[:-1] + path: list(answers) for path, answers in pages.items()}, default=404)
    async with Fetcher(transport=transport, **options) as fetcher:
        results = await taken(steps, fetcher, at)
    requests = [(r.method, r.url[len(at) - 1 :], r.fields, r.content or b"") for r in transport.requests]
    return results, [sent(*request, at) for request in requests]


async def taken(steps: Steps, fetcher: Fetcher, at: str) -> list[object]:
    """Return all that the steps gave, with the place of the server left out."""
    try:
        return [shown(page, at) for page in await steps(fetcher, at)]
    except FetchError as error:
        return [(error.reason, without(str(error), at))]


def shown(page: Fetched, at: str) -> object:
    """Return all of an answer but its times."""
    error = page.error and (getattr(page.error, "reason", None), without(str(page.error), at))
    urls = [without(url, at) for url in (page.requested, page.url, *page.history)]
    return page.status, page.content, [*page.headers.items()], urls, page.extra, error


def sent(method: str, target: str, fields: tuple[tuple[str, str], ...], content: bytes, at: str) -> Sent:
    """Return one request, with the place of the server left out."""
    return method, target, tuple((name, without(value, at)) for name, value in fields), content


def without(text: str, at: str) -> str:
    """Return a text without the place of the server."""
    return text.replace(at.removeprefix("http://").strip("/"), "HERE")


class AnswerServer:
    """Writes fake answers to sockets; `requests` holds what was asked."""

    def __init__(self, pages: Pages) -> None:
        self.requests: list[tuple[str, str, tuple[tuple[str, str], ...], bytes]] = []
        self._pages = {path: list(answers) for path, answers in pages.items()}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            method, target, _ = first.split(" ")
            fields = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
            self.requests.append((method, target, fields, await self._content(reader, dict(fields))))
            answers = self._pages.get(target, [FakeAnswer(404)])
            writer.write(self._written(answers.pop(0) if len(answers) > 1 else answers[0], method))

    async def _content(self, reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
        if "Transfer-Encoding" not in fields:
            return await reader.readexactly(int(fields.get("Content-Length", "0")))
        content = b""
        while size := int(await reader.readline(), 16):
            content += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return content

    def _written(self, answer: FakeAnswer, method: str) -> bytes:
        head = b"".join(b"%s: %s\r\n" % pair for pair in answer.fields())
        pieces = answer.pieces() if method != "HEAD" and answer.status not in {204, 304} else ()
        body = b"".join(piece for piece in pieces if isinstance(piece, bytes))
        return b"HTTP/1.1 %d Status\r\n%s\r\n%s" % (answer.status, head, body)
