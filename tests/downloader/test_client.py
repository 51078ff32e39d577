"""downloader.client: the library's face."""

import asyncio
import gzip
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from crawler.core.errors import FetchError, UrlError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher, fetch
from support.fetching import OK, HandClock, answering
from support.forbidden import forbidden_urls
from support.rawserver import Handler, raw_server

BAD = "http://127.0.0.1:1/"


def _answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def _to(location: str, status: str = "302 Found") -> bytes:
    return _answer(b"", f"Location: {location}", status=status)


class Site:
    """Answers by path; `requests` holds what was asked, bodies included."""

    def __init__(self, **pages: bytes | list[bytes]) -> None:
        self.requests: list[str] = []
        self.in_flight = self.peak = 0
        self.pause = 0.0
        self._pages = {f"/{name}": list(page) if isinstance(page, list) else [page] for name, page in pages.items()}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("Content-Length:")), 0)
            self.requests.append(head + (await reader.readexactly(length)).decode())
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            if self.pause:
                await asyncio.sleep(self.pause)
            self.in_flight -= 1
            path = head.split(" ")[1]
            if head.startswith("HEAD"):
                writer.write(_answer())
                continue
            answers = self._pages.get(path.partition("?")[0], [_answer(path.encode())])
            writer.write(answers.pop(0) if len(answers) > 1 else answers[0])

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [request.split(" ")[1] for request in self.requests]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock on which a pause takes no time, for every `Fetcher` of the test."""
    clock = HandClock()
    monkeypatch.setattr("crawler.downloader.client.SystemClock", lambda: clock)
    return clock


def _url(where: tuple[str, int], path: str = "/") -> str:
    return f"http://{where[0]}:{where[1]}{path}"


@pytest.mark.both_loops
async def test_a_page_is_fetched_and_decoded() -> None:
    """Content, text, JSON and headers of one page."""
    packed = gzip.compress(json.dumps({"name": "J\u00f6rg"}).encode())
    site = Site(page=_answer(packed, "Content-Encoding: gzip", "X-A: 1", "x-a: 2"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        page = await fetcher.get(_url(where, "/page"))

    assert page.ok
    assert page.json() == {"name": "J\u00f6rg"}
    assert page.text == page.content.decode()
    assert page.headers["X-A"] == "1"
    assert page.url == page.requested == _url(where, "/page")
    assert page.timing.total is not None


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=iso-8859-1", b"caf\xe9", "caf\u00e9"),
        ("text/html", b"caf\xc3\xa9", "caf\u00e9"),
        ("text/html; charset=utf-8", b"caf\xe9", "caf\ufffd"),
        ("text/html; charset=nonsense", b"cafe", "cafe"),
    ],
)
async def test_text_is_always_readable(content_type: str, body: bytes, text: str) -> None:
    """A wrong or unknown charset costs characters, never the page."""
    async with raw_server(answering(_answer(body, f"Content-Type: {content_type}"))) as where, Fetcher() as fetcher:
        assert (await fetcher.get(_url(where))).text == text


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete"])
async def test_each_method_has_its_name(method: str) -> None:
    """The method on the wire is the one that was called."""
    site = Site()
    async with raw_server(site) as where, Fetcher() as fetcher:
        await getattr(fetcher, method)(_url(where, "/x"))

    assert site.requests[0].startswith(f"{method.upper()} /x ")


@pytest.mark.parametrize(
    ("ask", "kind", "body"),
    [
        ({"data": b"\x01"}, None, "\x01"),
        ({"data": "caf\u00e9"}, "text/plain; charset=utf-8", "caf\u00e9"),
        ({"data": {"a": "1 2", "b": "&"}}, "application/x-www-form-urlencoded", "a=1+2&b=%26"),
        ({"json": {"a": [1]}}, "application/json", '{"a": [1]}'),
        ({"json": 1, "headers": {"content-type": "text/x"}}, "text/x", "1"),
    ],
)
async def test_a_body_is_sent_with_its_type(ask: Any, kind: str | None, body: str) -> None:
    """Bytes, text, forms and JSON; a type of the caller's own wins."""
    site = Site()
    async with raw_server(site) as where, Fetcher() as fetcher:
        await fetcher.post(_url(where), **ask)

    head, _, sent = site.requests[0].partition("\r\n\r\n")
    assert sent == body
    assert (f"content-type: {kind}" in head.lower()) if kind else ("content-type" not in head.lower())


async def test_params_join_the_query() -> None:
    """They are appended before the fragment, encoded."""
    site = Site()
    async with raw_server(site) as where, Fetcher() as fetcher:
        await fetcher.get(_url(where, "/a#part"), params={"q": "x y"})
        await fetcher.get(_url(where, "/a?b"), params={"q": "&"})

    assert site.paths() == ["/a?q=x+y", "/a?b&q=%26"]


async def test_redirects_are_followed() -> None:
    """The answer is the last one; the way there is told."""
    site = Site(a=_to("/b"), b=_to("c?d", "301 Moved"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        page = await fetcher.get(_url(where, "/a"))

    assert page.content == b"/c?d"
    assert page.url == _url(where, "/c?d")
    assert page.history == (_url(where, "/a"), _url(where, "/b"))


async def test_redirects_are_not_followed_unless_wanted() -> None:
    """Then a redirect is an answer, and its body stays packed."""
    bomb = gzip.compress(bytes(10**6))
    answer = _answer(bomb, "Location: /b", "Content-Encoding: gzip", status="302 Found")
    async with raw_server(answering(answer)) as where, Fetcher(follow_redirects=False) as fetcher:
        page = await fetcher.get(_url(where, "/a"))

    assert (page.status, page.content) == (302, bomb)


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({"a": _to("/a")}, Reason.REDIRECT_LOOP),
        ({"a": _to("/b"), "b": _to("/a")}, Reason.REDIRECT_LOOP),
        ({"a": _to("file:///etc/passwd")}, Reason.BAD_REDIRECT),
        ({"a": [_to(f"/a?{n}") for n in range(20)]}, Reason.REDIRECT_LIMIT),
    ],
    ids=["self", "circle", "file", "without end"],
)
async def test_a_bad_redirect_ends(pages: dict[str, Any], reason: Reason) -> None:
    """Circles, foreign schemes and endless ways are errors."""
    async with raw_server(Site(**pages)) as where, Fetcher() as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(_url(where, "/a"))

    assert caught.value.reason == reason


ZIPPED = gzip.compress(b"page")
SET = "Set-Cookie: seen=1"


@pytest.mark.parametrize(
    ("pages", "method", "cookies", "end"),
    [
        ({"a": [_to("/a", "303 See Other"), _answer(b"done")]}, "POST", False, b"done"),
        ({"a": [_to("/a"), _answer(b"done")]}, "POST", False, b"done"),  # 302 makes it a GET as well
        ({"a": _to("/a", "307 Same")}, "POST", False, Reason.REDIRECT_LOOP),
        ({"a": [_answer(b"", SET, "Location: /a", status="302 Found"), _answer(b"in")]}, "GET", True, b"in"),
        ({"a": [_answer(b"", SET, "Location: /a", status="302 Found"), _answer(b"in")]}, "GET", False, None),
        ({"a": _answer(b"", SET, "Location: /a", status="302 Found")}, "GET", True, Reason.REDIRECT_LOOP),
        (
            {
                "a": [_to("/login"), _answer(b"in")],
                "login": _answer(b"", SET, "Location: /a", status="302 Found"),
            },
            "GET",
            True,
            b"in",
        ),
        (
            {"a": [_answer(b"", f"Set-Cookie: n={n}", "Location: /a", status="302 Found") for n in range(20)]},
            "GET",
            True,
            Reason.REDIRECT_LIMIT,
        ),
        ({"a": _answer(b"page", "Location: ", status="302 Found")}, "GET", False, b"page"),
    ],
)
async def test_a_circle_is_the_same_request_again(
    pages: dict[str, Any], method: str, cookies: bool, end: bytes | Reason | None
) -> None:
    """Fetch, "HTTP-redirect fetch": a redirect may lead back to where it came from, ten times in all.

    Only where the same bytes would be sent again (method, URL, cookies) no other answer can be expected.
    """
    end = end or Reason.REDIRECT_LOOP
    async with raw_server(Site(**pages)) as where, Fetcher(cookies=cookies) as fetcher:
        if isinstance(end, bytes):
            assert (await fetcher.request(method, _url(where, "/a"))).content == end
        else:
            with pytest.raises(FetchError) as caught:
                await fetcher.request(method, _url(where, "/a"))
            assert caught.value.reason is end


async def test_no_spelling_leads_to_a_forbidden_address() -> None:
    """Redirects to every disguise of every forbidden address: not one connection."""
    dialled: list[None] = []

    async def canary(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        dialled.append(None)

    async with raw_server(canary) as (_, port):
        locations = [url.encode() for url in forbidden_urls(port)]
        async with raw_server(_redirecting(locations)) as where, Fetcher(concurrency=20, retries=0) as fetcher:
            urls = [_url(where, f"/{number}") for number in range(len(locations))]
            answers = [answer async for answer in fetcher.stream(urls)]

    reasons = {answer.error.reason for answer in answers if isinstance(answer.error, FetchError)}
    assert len(answers) == len(locations) >= 300
    assert reasons <= {Reason.BLOCKED_ADDRESS, Reason.BAD_REDIRECT, Reason.PROTOCOL_ERROR}
    assert dialled == []


def _redirecting(locations: list[bytes]) -> Handler:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        if not path[1:].isdigit():  # to a browser, "http:host/" on a page of this server is a path here
            writer.write(OK)
            return
        location = locations[int(path[1:])]
        writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")

    return serve


async def test_credentials_go_to_their_origin_only() -> None:
    """Userinfo in a URL is sent as basic authentication, and not to where the server redirects."""
    there = Site()
    async with raw_server(there, "127.0.0.2") as other:
        here = Site(a=_to(_url(other, "/b")))
        async with raw_server(here) as (host, port), Fetcher(allow_nets=("127.0.0.0/8",)) as fetcher:
            page = await fetcher.get(f"http://me:secret@{host}:{port}/a", headers={"X-Key": "secret"})

    assert "Authorization: Basic bWU6c2VjcmV0" in here.requests[0]
    assert "secret" not in there.requests[0]
    assert "bWU6c2VjcmV0" not in there.requests[0]
    assert "secret" not in page.url


async def test_fetcher_credentials_go_to_the_given_urls() -> None:
    """Basic, bearer and own headers of the Fetcher are sent to what is asked for by name."""
    site = Site()
    async with raw_server(site) as where:
        async with Fetcher(auth=("me", "pw"), headers={"X-A": "1"}) as basic:
            await basic.get(_url(where))
        async with Fetcher(bearer="token") as bearer:
            await bearer.get(_url(where))

    assert "Authorization: Basic bWU6cHc=" in site.requests[0]
    assert "X-A: 1" in site.requests[0]
    assert "Authorization: Bearer token" in site.requests[1]


async def test_cookies_stay_with_their_host() -> None:
    """A cookie comes back to the host that set it, and to no other; the caller's cookies go to the given URL."""
    there = Site()
    async with raw_server(there, "127.0.0.2") as other:
        here = Site(set=_answer(b"", "Set-Cookie: a=1; Path=/"), away=_to(_url(other, "/b")))
        async with raw_server(here) as where, Fetcher(cookies={"b": "2"}, allow_nets=("127.0.0.0/8",)) as fetcher:
            for path in ("/set", "/page", "/away"):
                await fetcher.get(_url(where, path))

    assert "Cookie: b=2\r\n" in here.requests[0]
    assert "Cookie: b=2; a=1\r\n" in here.requests[1]
    assert "Cookie" not in there.requests[0]


async def test_cookies_are_off_by_default() -> None:
    """Nothing that a server sets is sent back unasked."""
    site = Site(set=_answer(b"", "Set-Cookie: a=1; Path=/"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        await fetcher.get(_url(where, "/set"))
        await fetcher.get(_url(where))

    assert "Cookie" not in site.requests[1]


async def test_what_may_pass_is_tried_again(clock: HandClock) -> None:
    """A retry status costs a wait, the server's if it asks for one."""
    busy = _answer(b"", "Retry-After: 7", status="503 Busy")
    site = Site(a=[busy, busy, _answer(b"now")])
    async with raw_server(site) as where, Fetcher() as fetcher:
        page = await fetcher.get(_url(where, "/a"))

    assert page.content == b"now"
    assert clock.slept == [7, 7]


async def test_the_last_try_is_the_answer(clock: HandClock) -> None:
    """After its retries a 503 is an answer like any other; a POST is never repeated."""
    site = Site(a=_answer(b"", status="503 Busy"))
    async with raw_server(site) as where, Fetcher(retries=2) as fetcher:
        page = await fetcher.get(_url(where, "/a"))
        posted = await fetcher.post(_url(where, "/a"))

    assert page.status == posted.status == 503
    assert len(site.requests) == 3 + 1
    assert len(clock.slept) == 2
    with pytest.raises(FetchError, match="503"):
        page.raise_for_status()


async def test_a_pause_of_an_hour_is_not_waited_for(clock: HandClock) -> None:
    """The answer tells; the caller decides."""
    site = Site(a=_answer(b"", "Retry-After: 3600", status="429 Slow down"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        assert (await fetcher.get(_url(where, "/a"))).status == 429
    assert clock.slept == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_answer(b"page", "Content-Encoding: gzip"), Reason.DECODE_ERROR),
        (_answer(gzip.compress(b"page")[:-9], "Content-Encoding: gzip"), Reason.DECODE_ERROR),
        (_answer(b"page", *["Content-Encoding: gzip"] * 100), Reason.DECODE_ERROR),
        (_answer(gzip.compress(bytes(10**6)), "Content-Encoding: gzip"), Reason.DECODED_LIMIT),
        (_answer(bytes(200_000)), Reason.BODY_LIMIT),
    ],
    ids=["no gzip", "cut", "100 codings", "bomb", "too long"],
)
async def test_a_body_that_cannot_be_given_whole_is_an_error(answer: bytes, reason: Reason) -> None:
    """Nobody gets half a page without knowing."""
    async with raw_server(answering(answer)) as where, Fetcher(max_decoded=500_000, max_body=100_000) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(_url(where))

    assert caught.value.reason == reason


@pytest.mark.parametrize("coding", ["UTF-8", "none", "gzip, foo"])
async def test_bytes_under_an_unknown_coding_are_given_as_they_are(coding: str) -> None:
    """Fetch, "handle content codings"; a gzip stream that lacks its trailer is whole."""
    site = Site(a=_answer(b"page", f"Content-Encoding: {coding}"), b=_answer(ZIPPED[:-8], "Content-Encoding: gzip"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        assert (await fetcher.get(_url(where, "/a"))).content == b"page"
        assert (await fetcher.get(_url(where, "/b"))).content == b"page"


async def test_errors_are_raised() -> None:
    """A URL that is none and a server that is not there."""
    async with Fetcher(retries=0) as fetcher:
        with pytest.raises(UrlError):
            await fetcher.get("ftp://example.com/")
        with pytest.raises(FetchError):
            await fetcher.get("http://127.0.0.1:4/")
        with pytest.raises(UsageError):
            await fetcher.request("GET /x", BAD)


async def test_one_call_has_its_own_time_limit() -> None:
    """It covers the whole call, redirects and retries included."""
    site = Site()
    site.pause = 5
    async with raw_server(site) as where, Fetcher() as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(_url(where), timeout=0.05)

    assert caught.value.reason == Reason.TOTAL_TIMEOUT


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.both_loops
async def test_a_stream_answers_each_url_once(ordered: bool) -> None:
    """Good and bad URLs alike, and in their order if that is wanted."""
    async with raw_server(Site()) as where, Fetcher(concurrency=8, retries=0) as fetcher:
        urls = [_url(where, f"/{n}") if n % 10 else "nonsense" for n in range(100)]
        answers = [answer async for answer in fetcher.stream(urls, ordered=ordered)]

    assert sorted(answer.requested for answer in answers) == sorted(urls)
    assert sum(answer.error is not None for answer in answers) == 10
    assert all(answer.ok for answer in answers if answer.error is None)
    if ordered:
        assert [answer.requested for answer in answers] == urls


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_stream_reads_its_urls_as_slots_become_free(ordered: bool) -> None:
    """An endless iterable is fine, and whoever takes no answers makes no requests."""
    read: list[int] = []
    site = Site()

    def endless(where: tuple[str, int]) -> Iterator[str]:
        for number in itertools.count():
            read.append(number)
            yield _url(where, f"/{number}")

    async with raw_server(site) as where, Fetcher(concurrency=4) as fetcher:
        stream = fetcher.stream(endless(where), ordered=ordered)
        for _ in range(20):
            await anext(stream)
        await asyncio.sleep(0.05)
        seen = len(read)
        await stream.aclose()  # type: ignore[attr-defined] # it is a generator

    assert seen <= 20 + 3 * 4
    assert site.peak <= 4
    assert len(asyncio.all_tasks()) == 1


async def test_a_stream_takes_asynchronous_urls() -> None:
    """URLs may come one by one, from a queue or another stream."""

    async def slowly(where: tuple[str, int]) -> AsyncIterator[str]:
        for number in range(3):
            await asyncio.sleep(0)
            yield _url(where, f"/{number}")

    async with raw_server(Site()) as where, Fetcher() as fetcher:
        answers = [answer async for answer in fetcher.stream(slowly(where), ordered=True)]

    assert [answer.content for answer in answers] == [b"/0", b"/1", b"/2"]


def _breaking(raised: asyncio.Event, error: BaseException, where: tuple[str, int]) -> Iterator[str]:
    yield _url(where, "/0")
    yield _url(where, "/1")
    raised.set()
    raise error


async def _breaking_later(raised: asyncio.Event, error: BaseException, where: tuple[str, int]) -> AsyncIterator[str]:
    for url in _breaking(raised, error, where):
        await asyncio.sleep(0)
        yield url


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("breaking", [_breaking, _breaking_later], ids=["sync", "async"])
@pytest.mark.parametrize("error", [KeyError("mine"), asyncio.CancelledError("mine")], ids=lambda error: error.args[0])
@pytest.mark.both_loops
async def test_an_error_of_the_iterable_is_the_callers(ordered: bool, breaking: Any, error: BaseException) -> None:
    """It is raised as it is, from the stream and nowhere else, after the answers to all URLs before it."""
    raised = asyncio.Event()
    answers: list[bytes] = []

    async def read(where: tuple[str, int]) -> None:
        async for answer in fetcher.stream(breaking(raised, error, where), ordered=ordered):
            answers.append(answer.content)
            await raised.wait()
            for _ in range(10):  # while the reader is busy, nothing may reach into what it does
                await asyncio.sleep(0)

    async with raw_server(Site()) as where, Fetcher(concurrency=1) as fetcher:
        with pytest.raises(type(error)) as caught:
            await read(where)
        assert caught.value is error
        assert len(asyncio.all_tasks()) - len(_served()) == 1

    assert sorted(answers) == [b"/0", b"/1"]


def _served() -> list[asyncio.Task[Any]]:
    """The tasks of the servers of this file."""
    return [task for task in asyncio.all_tasks() if "_Connections" in repr(task.get_coro())]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("item", [5, None, float("nan"), b"http://127.0.0.1:1/"])
async def test_an_item_that_is_no_text_has_its_own_answer(ordered: bool, item: Any) -> None:
    """It ends neither the stream nor anything else; `get` raises the same."""
    async with raw_server(Site()) as where, Fetcher() as fetcher:
        urls = [_url(where, "/0"), item, _url(where, "/1")]
        answers = [answer async for answer in fetcher.stream(urls, ordered=ordered)]
        with pytest.raises(UrlError, match=type(item).__name__):
            await fetcher.get(item)

    assert sorted(answer.content for answer in answers) == [b"", b"/0", b"/1"]
    (bad,) = (answer for answer in answers if answer.error)
    assert isinstance(bad.error, UrlError)
    assert bad.error.reason == Reason.NOT_A_URL
    assert bad.requested == str(item)


async def test_one_text_is_no_list_of_urls() -> None:
    """A URL given instead of a list is not read letter by letter."""
    async with Fetcher() as fetcher:
        with pytest.raises(UsageError, match="list"):
            [answer async for answer in fetcher.stream(BAD)]


@pytest.mark.parametrize("ordered", [True, False])
async def test_what_is_no_iterable_is_told_as_python_tells_it(ordered: bool) -> None:
    """A TypeError of the caller's reaches the caller."""
    async with Fetcher() as fetcher:
        with pytest.raises(TypeError, match="iterable"):
            [answer async for answer in fetcher.stream(5, ordered=ordered)]  # type: ignore[arg-type] # the point


@pytest.mark.parametrize("ordered", [True, False])
async def test_an_error_of_ours_reaches_the_reader(ordered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error of a turn is raised from the stream too, and does not cancel its reader."""

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async with Fetcher() as fetcher:
        monkeypatch.setattr(fetcher, "_answer", broken)
        with pytest.raises(ZeroDivisionError):
            [answer async for answer in fetcher.stream(["http://127.0.0.1/"], ordered=ordered)]


def test_fetch_raises_what_the_iterable_raised() -> None:
    """Without a loop it is the same."""

    def broken() -> Iterator[str]:
        yield "nonsense"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fetch(broken())


def test_fetch_without_a_loop() -> None:
    """The synchronous way gives every answer, in order, from a plain script."""
    answers = fetch(["nonsense", "ftp://x/"], concurrency=2)

    assert [answer.requested for answer in answers] == ["nonsense", "ftp://x/"]
    assert all(answer.error for answer in answers)


async def test_fetch_inside_a_loop_names_the_other_way() -> None:
    """Blocking a running loop would stop everything else in it."""
    with pytest.raises(UsageError, match="Fetcher"):
        fetch([BAD])


def test_an_unknown_option_is_named() -> None:
    """A misspelt option is not passed over."""
    with pytest.raises(UsageError, match="concurency"):
        Fetcher(concurency=3)  # type: ignore[call-arg] # that is the point


async def test_a_fetcher_that_is_not_open_says_how_to_open_it() -> None:
    """Before `async with` and after it, for one URL as for many."""
    fetcher = Fetcher()
    async with fetcher:
        pass

    for closed in (Fetcher(), fetcher):
        with pytest.raises(UsageError, match=r"use `async with crawler\.Fetcher\(\) as fetcher`"):
            await closed.get(BAD)
        with pytest.raises(UsageError, match="async with"):
            await anext(closed.stream([BAD]))


async def test_an_error_names_keywords() -> None:
    """A script has no flags: neither when a Fetcher is made nor in what a request ends with."""
    with pytest.raises(UsageError, match=r"^cookies_file: 'missing': no such file"):
        Fetcher(cookies_file="missing")
    private = _answer(b"", "Location: http://10.0.0.1/", status="302 Found")
    async with raw_server(answering(private)) as where, Fetcher(retries=0) as fetcher:
        with pytest.raises(FetchError, match=r"host by name: allow_nets 10\.0\.0\.1/32 allows it"):
            await fetcher.get(_url(where))


async def test_a_good_answer_raises_nothing() -> None:
    """`raise_for_status` passes what is below 400."""
    async with raw_server(answering(OK)) as where, Fetcher() as fetcher:
        (await fetcher.get(_url(where))).raise_for_status()
