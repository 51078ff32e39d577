"""load.message: what is told is sent, or refused with the way to get it."""

from collections.abc import Sequence

import pytest

from crawler.core.errors import UsageError
from crawler.core.urls import parse
from crawler.load.contradictions import configure_load
from crawler.load.message import AGENT, Headers, message

URL = parse("http://h:8000/a?b")


def sent(
    *headers: str, method: str = "GET", own: Headers = (), body: bytes | None = None, **options: object
) -> tuple[Sequence[str], bytes]:
    """The lines of the head, and what follows it, with these headers of the options and of the target."""
    asked = configure_load(
        {"header": list(headers), **{name.replace("_", "-"): value for name, value in options.items()}}
    ).request
    head, _, rest = message(asked, URL, method=method, headers=own, body=body).partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), rest


def test_a_request_has_what_http_wants_and_our_name() -> None:
    """Host first (RFC 9112, 3.2), then who asks."""
    assert sent() == (["GET /a?b HTTP/1.1", "Host: h:8000", f"User-Agent: {AGENT}", "Accept: */*"], b"")


@pytest.mark.parametrize(
    "header",
    [
        "X-Empty: ",
        "User-Agent: ",
        "X-Tab: a\tb",
        "X-Letters: \N{LATIN SMALL LETTER E WITH ACUTE} \N{FAMILY}\u200d\N{NO-BREAK SPACE}x",
        "Connection: keep-alive",
        "Connection: TE",
        "Content-Length: 0",
        "Host: other",
        "host: ",
        "authorization: Bearer x",
        "Te: trailers",
    ],
)
def test_a_header_goes_out_as_it_was_told(header: str) -> None:
    """Once, and in the place of ours of that name."""
    name = header.partition(":")[0].lower()

    lines, _ = sent(header)

    assert [line for line in lines if line.lower().startswith(f"{name}:")] == [header]


def test_a_header_may_be_told_twice() -> None:
    """Both are sent, in order."""
    assert sent("X: 1", "x: 2")[0][-2:] == ["X: 1", "x: 2"]


def test_a_header_of_the_options_replaces_the_target_s_own() -> None:
    """The command line has the last word, as over ours; other headers of the target stay, in order."""
    lines, _ = sent("X: 1", "User-Agent: mine", own=(("x", "2"), ("Y", "3"), ("y", "4"), ("Host", "own"), ("x", "5")))

    assert lines == ["GET /a?b HTTP/1.1", "Accept: */*", "Y: 3", "y: 4", "Host: own", "X: 1", "User-Agent: mine"]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Connection: close", "give --no-keep-alive instead"),
        ("connection: TE, Close", "give --no-keep-alive instead"),
        ("Connection: Upgrade", "HTTP/1.1 throughout"),
        ("Upgrade: websocket", "HTTP/1.1 throughout"),
        ("Transfer-Encoding: chunked", "give --chunked instead"),
        ("Content-Length: 5", "contradicts the body"),
        ("Content-Length: x", "contradicts the body"),
        ("Expect: 100-Continue", "needs a body"),
    ],
)
def test_a_header_that_cannot_be_obeyed_is_refused(header: str, said: str) -> None:
    """The message says how to get what it asks for; a target's own is refused alike."""
    name, _, value = header.partition(": ")

    for told, own in (([header], ()), ([], ((name, value),))):
        with pytest.raises(UsageError, match=said):
            sent(*told, own=own)


@pytest.mark.parametrize("name", ["Host", "Authorization", "Expect"])
def test_a_header_that_counts_once_is_told_once(name: str) -> None:
    """A server must refuse two hosts (RFC 9112, 3.2), and takes whichever it likes of the others."""
    with pytest.raises(UsageError, match=f"the header {name} is given twice"):
        sent(f"{name}: secret", f"{name.lower()}: secret")


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "\x7f", "\ud800"])
def test_no_header_breaks_the_message(value: str) -> None:
    """Neither one of the options nor a target's; its value may be a secret, and is not told of a target."""
    with pytest.raises(UsageError, match=r"--header: expected 'Name: value'"):
        sent(f"X: {value}")
    with pytest.raises(UsageError, match="the header 'X' holds a character that would break the request"):
        sent(own=(("X", value),))
    with pytest.raises(UsageError, match="holds a character"):
        sent(own=(("X Y", "1"),))


@pytest.mark.parametrize("header", [(), ("Connection: close",), ("connection: Close",)])
def test_without_keep_alive_the_server_is_told_once(header: tuple[str, ...]) -> None:
    """A header that says the same is welcome, and one that says the opposite is not."""
    lines, _ = sent(*header, keep_alive=False)

    assert [line.lower() for line in lines if line.lower().startswith("connection:")] == ["connection: close"]
    with pytest.raises(UsageError, match="contradicts --no-keep-alive"):
        sent("Connection: keep-alive", keep_alive=False)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_method_with_a_body_has_a_length(method: str) -> None:
    """Also without a body (RFC 9110, 8.6): strict servers answer 411 otherwise."""
    assert sent(method=method)[0][-1] == "Content-Length: 0"
    assert sent(method=method, body=b"xy") == ([*sent(method=method)[0][:-1], "Content-Length: 2"], b"xy")


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "M-SEARCH", "PROPFIND", "own", "x!"])
def test_a_method_is_sent_as_typed(method: str) -> None:
    """Any token is one (RFC 9110, 9.1), and has no length without a body."""
    lines, _ = sent(method=method)

    assert lines[0] == f"{method} /a?b HTTP/1.1"
    assert not any(line.startswith("Content-Length") for line in lines)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("head", "methods are case-sensitive: write HEAD"),
        ("Get", "write GET"),
        ("CONNECT", "opens a tunnel"),
        ("A B", "expected a name such as PUT"),
        ("", "expected a name such as PUT"),
        ("\N{LATIN CAPITAL LETTER E WITH ACUTE}", "expected a name such as PUT"),
    ],
)
def test_what_is_no_method_is_refused(method: str, said: str) -> None:
    """A standard one in other letters would be an unknown one to the server."""
    with pytest.raises(UsageError, match=f"the method .*{said}"):
        sent(method=method)


def test_a_length_that_is_right_may_be_told() -> None:
    """A request that was copied has it."""
    lines, body = sent("content-length: 2", body=b"xy")

    assert (lines[-1], body) == ("Content-Length: 2", b"xy")


def test_an_expectation_is_sent_with_its_body() -> None:
    """The body does not wait for the 100 (RFC 9110, 10.1.1)."""
    lines, body = sent("Expect: 100-continue", method="POST", body=b"xy")

    assert (lines[-2:], body) == (["Expect: 100-continue", "Content-Length: 2"], b"xy")


@pytest.mark.parametrize(
    ("size", "body", "chunks"),
    [
        (2, b"hello", b"2\r\nhe\r\n2\r\nll\r\n1\r\no\r\n0\r\n\r\n"),
        (5, b"hello", b"5\r\nhello\r\n0\r\n\r\n"),
        (16_384, 20_000 * b"x", b"4000\r\n" + 16_384 * b"x" + b"\r\ne20\r\n" + 3_616 * b"x" + b"\r\n0\r\n\r\n"),
        (16_384, b"", b"0\r\n\r\n"),
    ],
)
def test_a_body_can_be_sent_in_chunks(size: int, body: bytes, chunks: bytes) -> None:
    """Of the size that is asked for, the last one shorter, and without a length (RFC 9112, 7.1)."""
    lines, rest = sent(method="POST", body=body, chunked=True, chunk_size=size)

    assert lines[-1] == "Transfer-Encoding: chunked"
    assert rest == chunks
    assert sent(method="POST", body=b"x" * 16_385, chunked=True)[1].startswith(b"4000\r\n")  # if no size is given
    assert sent(chunked=True) == sent()  # a target without a body
    with pytest.raises(UsageError, match="Content-Length contradicts"):
        sent(f"Content-Length: {len(body)}", method="POST", body=body, chunked=True)
