"""downloader.request_options: what one request is told is done or refused."""

from typing import Any

import pytest

from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher
from crawler.downloader.client_options import fetcher_config
from crawler.downloader.request_options import build_ask
from support.path_server import PathServer, redirect_to, response, url_at
from support.rawserver import raw_server

URL = "http://127.0.0.1:8000/"
FORM = "application/x-www-form-urlencoded"


def ask(method: str = "GET", url: str = URL, fetcher: Any = None, **options: Any) -> Any:
    """Return what is asked with these options."""
    return build_ask(method, url, options, fetcher_config(fetcher or {}))  # type: ignore[arg-type] # anything is tried


@pytest.mark.parametrize(
    ("options", "kind", "body"),
    [
        ({"content": b"\x01"}, None, b"\x01"),
        ({"data": bytearray(b"\x01")}, None, b"\x01"),
        ({"content": "caf\u00e9"}, "text/plain; charset=utf-8", "caf\u00e9".encode()),
        ({"data": {"a": "1 2", "b": "&"}}, FORM, b"a=1+2&b=%26"),
        ({"data": {"a": ["x", "y"], "b": None, "c": 1.5, "d": True}}, FORM, b"a=x&a=y&c=1.5&d=true"),
        ({"data": [("a", "1"), ("a", "2")]}, FORM, b"a=1&a=2"),
        ({"data": {}}, FORM, b""),
        ({"json": {"a": [1]}}, "application/json", b'{"a": [1]}'),
        ({"json": 0, "headers": {"content-type": "text/x"}}, "text/x", b"0"),
        ({"json": None, "data": None, "content": None, "headers": None, "params": None}, None, None),
    ],
)
def test_a_body_is_sent_with_its_type(options: Any, kind: str | None, body: bytes | None) -> None:
    """Bytes, text, forms and JSON; a type of the caller's own wins, and None is not given."""
    request = ask("POST", **options).request

    assert request.body == body
    assert {name.lower(): value for name, value in request.headers} == ({"content-type": kind} if kind else {})


@pytest.mark.parametrize(
    ("url", "params", "href"),
    [
        ("/a#part", {"q": "x y"}, "/a?q=x+y"),
        ("/a?b", {"q": "&"}, "/a?b&q=%26"),
        ("/a", {"tag": ["a", "b"], "q": None}, "/a?tag=a&tag=b"),
        ("/a", [("n", 1), ("n", 2)], "/a?n=1&n=2"),
        ("/a", {"q": None}, "/a"),
    ],
)
def test_params_join_the_query(url: str, params: Any, href: str) -> None:
    """They are appended before the fragment, encoded; a list repeats its name."""
    assert ask(url=URL.rstrip("/") + url, params=params).request.url.href == URL.rstrip("/") + href


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timout": 1}, "request: there is no option 'timout'; did you mean 'timeout'?"),
        ({"files": {"a": b"x"}, "json": 1}, "files: only a form may go with files"),
        ({"content": b"x", "json": 1}, "content and json: a request has one body"),
        ({"auth": ("a", "b"), "bearer": "c"}, "auth and bearer: give one of them"),
        ({"auth": "me:pw"}, "auth: expected (name, password)"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "headers: transfer-encoding: set by the client itself"),
        ({"cookies": {"a=b": "c"}}, "cookies: 'a=b' holds"),
        ({"auth": ("a:b", "c")}, "auth: a user name cannot hold a colon"),
        ({"headers": {"a": 1}}, "headers: expected a mapping of texts"),
        ({"headers": "a: b"}, "headers: expected a mapping of texts"),
        ({"headers": {"a": "b\r\nX: y"}}, "expected 'Name: value'"),
        ({"params": "a=b"}, "params: expected a mapping"),
        ({"params": {"a": object()}}, "params: 'a' must be text, a number or a list"),
        ({"params": {1: "a"}}, "params: expected a mapping"),
        ({"data": 3}, "data: expected bytes, text, a binary file"),
        ({"content": {"a": "b"}}, "content: expected bytes, text, a binary file"),
        ({"content": "\ud800"}, "half of a surrogate pair"),
        ({"params": {"a": "\ud800"}}, "half of a surrogate pair"),
        ({"json": {1, 2}}, "json: Object of type set"),
        ({"json": float("nan")}, "json: Out of range"),
        ({"cookies": "a=b"}, "cookies: expected a mapping"),
        ({"timeout": 0}, "expected seconds above 0"),
        ({"timeout": "1"}, "expected a number, got '1'"),
        ({"retries": -1}, "expected a whole number, 0 or more"),
        ({"max_redirects": 1.5}, "expected a whole number"),
        ({"follow_redirects": 1}, "expected true or false"),
        ({"max_body": 0}, "expected a size of 1 or more"),
    ],
)
def test_what_cannot_be_done_is_refused(options: Any, message: str) -> None:
    """Nothing that is told is dropped: an unknown name and an impossible value are errors."""
    with pytest.raises(UsageError) as raised:
        ask("POST", **options)

    assert message in str(raised.value)


async def test_one_request_has_its_own_limits() -> None:
    """Redirects, retries, the body's limit and cookies of one request; the answer carries what came with it."""
    site = PathServer(
        a=redirect_to("/b"), b=response(bytes(3000), "Set-Cookie: s=1"), busy=response(b"", status="503 Busy")
    )
    async with raw_server(site) as where, Fetcher(max_body=1000) as fetcher:
        page = await fetcher.get(url_at(where, "/a"), follow_redirects=False, extra=[1])
        whole = await fetcher.get(url_at(where, "/a"), max_body=3000, cookies={"own": '"x"'})
        busy = await fetcher.get(url_at(where, "/busy"), retries=0)
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url_at(where, "/a"), max_redirects=0)
        with pytest.raises(FetchError, match="longer than 2000 bytes"):
            await fetcher.get(url_at(where, "/b"), max_body=2000)

    assert (page.status, page.extra) == (302, [1])
    assert (len(whole.content), whole.extra) == (3000, None)
    assert busy.status == 503
    assert caught.value.reason is Reason.REDIRECT_LIMIT
    assert site.paths() == ["/a", "/a", "/b", "/busy", "/a", "/b"]
    assert ['Cookie: own="x"' in sent for sent in site.requests] == [False, True, True, False, False, False]
