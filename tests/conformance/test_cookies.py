"""The cookies of a cookies.txt that a request carries: RFC 6265, 5.1.3, 5.1.4 and 5.4, and curl where it is silent."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.core.messages import Request
from crawler.core.urls import parse
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.cookies_file import load_cookies, read_cookies
from crawler.downloader.headers import RequestHeaders
from crawler.http.cookies import Cookie
from support.ways import a_request

NOW = 1_700_000_000.0
LATER = "4102444800"
HEAD = b"# Netscape HTTP Cookie File\n"


def line(*, domain: str = "h.example", below: str = "FALSE", path: str = "/", secure: str = "FALSE",
         expiry: str = LATER, name: str = "a", value: str = "1") -> bytes:  # fmt: skip
    """A line of a file."""
    return f"{domain}\t{below}\t{path}\t{secure}\t{expiry}\t{name}\t{value}\n".encode()


def sent(content: bytes, url: str, now: float = NOW) -> str:
    """Return the Cookie header; empty = there is none."""
    return CookieJar(read_cookies(content)).header(parse(url), now)


def wire(tmp_path: Path, content: bytes, request: Request, headers: tuple[tuple[str, str], ...] = ()) -> list[bytes]:
    """The Cookie lines of a whole request."""
    file = tmp_path / "cookies.txt"
    file.write_bytes(content)
    jar = CookieJar.load(file)
    message = RequestHeaders(FetchConfig(headers=headers), jar=jar, now=lambda: NOW).message(request)
    return [one for one in message.split(b"\r\n") if one.lower().startswith(b"cookie:")]


DOMAINS = [
    # RFC 6265, 5.1.3: the host itself, or one below it if the cookie is not the host's alone
    ("h.example", "FALSE", "http://h.example/", True),
    ("h.example", "FALSE", "http://w.h.example/", False),
    ("h.example", "TRUE", "http://h.example/", True),
    ("h.example", "TRUE", "http://w.h.example/", True),
    (".h.example", "TRUE", "http://h.example/", True),
    (".h.example", "TRUE", "http://a.b.h.example/", True),
    (".h.example", "FALSE", "http://h.example/", True),
    (".h.example", "FALSE", "http://w.h.example/", False),  # the flag decides, as for curl
    (".h.example", "TRUE", "http://xh.example/", False),
    (".h.example", "TRUE", "http://example/", False),
    ("H.Example", "true", "http://w.h.example/", True),
    ("h.example", "FALSE", "http://h.example:8080/", True),  # a cookie knows no port
    ("b\u00fccher.example", "FALSE", "http://xn--bcher-kva.example/", True),
    # addresses have no hosts below them
    ("127.0.0.1", "FALSE", "http://127.0.0.1:81/", True),
    ("0.0.1", "TRUE", "http://127.0.0.1/", False),
    ("127.0.0.1", "TRUE", "http://127.0.0.1/", True),
    ("[::1]", "FALSE", "http://[::1]/", True),
    ("::1", "FALSE", "http://[::1]/", True),
    ("localhost", "FALSE", "http://localhost/", True),
    ("intranet", "TRUE", "http://wiki.intranet/", True),
    # 5.3, step 5: nobody speaks for a public suffix
    (".co.uk", "TRUE", "http://h.co.uk/", False),
    (".github.io", "TRUE", "http://alice.github.io/", False),
    (".github.io", "TRUE", "http://github.io/", True),
]


@pytest.mark.parametrize(("domain", "below", "url", "expected"), DOMAINS)
def test_a_cookie_goes_to_its_domain(domain: str, below: str, url: str, *, expected: bool) -> None:
    """RFC 6265, 5.1.3: host-only cookies to their host, the others to hosts below it too."""
    assert sent(line(domain=domain, below=below), url) == ("a=1" if expected else "")


PATHS = [
    ("/", "/", True),
    ("/", "/a/b", True),
    ("/a", "/a", True),
    ("/a", "/a/", True),
    ("/a", "/a/b", True),
    ("/a", "/a?b", True),
    ("/a", "/ab", False),
    ("/a", "/A", False),
    ("/a/", "/a/b", True),
    ("/a/", "/a", False),
    ("/a", "/?/a", False),
    ("", "/x", True),
    ("a", "/x", True),  # 5.2.4: a path that does not begin with a slash is the default
]


@pytest.mark.parametrize(("path", "target", "expected"), PATHS)
def test_a_cookie_goes_to_paths_below_its_own(path: str, target: str, *, expected: bool) -> None:
    """RFC 6265, 5.1.4: the same path, or a folder of it."""
    assert sent(line(path=path), f"http://h.example{target}") == ("a=1" if expected else "")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h.example/", True),
        ("http://h.example/", False),
        ("http://127.0.0.1/", True),
        ("http://127.9.9.9:8000/", True),
        ("http://[::1]/", True),
        ("http://localhost/", True),
        ("http://app.localhost/", True),
        ("http://10.0.0.1/", False),
    ],
)
def test_a_secure_cookie_needs_a_trustworthy_way(url: str, *, expected: bool) -> None:
    """RFC 6265, 5.4: https; and this machine, as Chromium, Firefox and curl have it."""
    content = line(domain=parse(url).host, secure="TRUE")

    assert sent(content, url) == ("a=1" if expected else "")


@pytest.mark.parametrize(
    ("expiry", "expected"),
    [("0", True), ("", True), ("-1", True), (LATER, True), ("4102444800.5", True), ("1700000000", False), ("1", False)],
)
def test_a_cookie_lasts_until_it_expires(expiry: str, *, expected: bool) -> None:
    """RFC 6265, 5.3: an expiry of 0, as curl and browsers write it, is the end of the session, so it is sent."""
    assert sent(line(expiry=expiry), "http://h.example/") == ("a=1" if expected else "")


def test_a_cookie_expires_while_a_run_lasts() -> None:
    """The moment of the request decides."""
    content = line(expiry="1700000060")

    assert sent(content, "http://h.example/", NOW) == "a=1"
    assert sent(content, "http://h.example/", NOW + 60) == ""


def test_the_longest_path_comes_first_and_then_the_oldest() -> None:
    """RFC 6265, 5.4, step 2; a namesake replaces the one before and keeps its place (5.3, step 11)."""
    content = b"".join(
        [
            line(name="a", value="old"),
            line(name="long", path="/x/y"),
            line(name="b", domain=".example", below="TRUE"),
            line(name="middle", path="/x"),
            line(name="a", value="new"),
            line(name="a", value="below", path="/x"),
        ]
    )

    assert sent(content, "http://h.example/x/y") == "long=1; middle=1; a=below; a=new; b=1"


VALUES = ["", "dGVzdA==", '"quoted"', "a b", " a ", '{"k":1}', "x,y", "a=b=c", "%C3%A9", "\u00e9", "'\\\"", "a;b"]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_sent_as_it_is_written(tmp_path: Path, value: str) -> None:
    """RFC 6265, 5.4: a value has no meaning to a client, quotation marks included."""
    request = Request(url=parse("http://h.example/"))

    assert wire(tmp_path, line(value=value), request) == [f"Cookie: a={value}".encode()]


def test_bytes_that_are_no_utf8_are_sent_too(tmp_path: Path) -> None:
    """A value is octets."""
    content = line().replace(b"1\n", b"\xe9\xff\n")

    assert wire(tmp_path, content, Request(url=parse("http://h.example/"))) == [b"Cookie: a=\xe9\xff"]


def test_a_cookie_without_a_name_is_its_value() -> None:
    """Browsers send it so (RFC 6265bis, 5.8.3)."""
    assert sent(line(name=""), "http://h.example/") == "1"


FILES = [
    HEAD + line(),
    line(),
    b"# HTTP Cookie File\n# https://curl.se/\n\n" + line(),
    b"\n\n" + HEAD + line(),
    HEAD.replace(b"\n", b"\r\n") + line().replace(b"\n", b"\r\n"),
    b"\xef\xbb\xbf" + HEAD + line(),
    b"\xef\xbb\xbf" + line(),
    HEAD + line().rstrip(b"\n"),
    b"#HttpOnly_" + line(),
    HEAD + b"#HttpOnly_" + line(domain=".h.example", below="TRUE"),
    HEAD + b"# " + line(name="b") + b"  # a comment\n \t \n" + line(),
]


@pytest.mark.parametrize("content", FILES, ids=range(len(FILES)))
def test_files_are_read_as_they_are_written(content: bytes) -> None:
    """By curl, by browsers and their extensions, on any system, with or without a first line."""
    assert sent(content, "http://h.example/") == "a=1"


def test_a_missing_value_is_an_empty_one() -> None:
    """Curl reads a line of six fields so."""
    assert sent(b"\t".join(line().split(b"\t")[:6]) + b"\n", "http://h.example/") == "a="


def test_a_file_tells_all_that_a_cookie_is() -> None:
    """Fields that are not needed to send it are kept as well."""
    content = b"#HttpOnly_" + line(domain=".H.example", below="TRUE", path="/p", secure="TRUE")

    assert read_cookies(content) == (
        Cookie(
            name="a", value="1", domain="h.example", path="/p", host_only=False, secure=True,
            http_only=True, expires=float(LATER),
        ),
    )  # fmt: skip


SECRET = "hunter2"
MALFORMED = [
    (line(value=f"{SECRET}\tx"), "8 fields"),
    (line(value=SECRET).replace(b"\t", b" "), "1 field,"),
    (f'[{{"name": "a", "value": "{SECRET}"}}]'.encode(), "1 field,"),
    (line(value=SECRET, below="yes"), "TRUE or FALSE"),
    (line(value=SECRET, secure=""), "TRUE or FALSE"),
    (line(value=SECRET, expiry="soon"), "seconds"),
    (line(value=SECRET, expiry="inf"), "seconds"),
    (line(value=SECRET, expiry="9" * 400), "seconds"),
    (line(value=f"{SECRET}\x00"), "control characters"),
    (line(value=f"{SECRET}\r{SECRET}"), "control characters"),
    (line(name="", value=""), "empty"),
    (line(value=SECRET, domain=""), "host"),
    (line(value=SECRET, domain="h.example/x"), "host"),
    (line(value=SECRET, domain="me@h.example"), "host"),
    (line(value=SECRET, domain="h.example:8080"), "host"),
    (line(value=SECRET, domain="\udcff".encode("utf-8", "surrogateescape").decode("latin-1") + " h"), "host"),
    (line(value=SECRET, domain=f"{SECRET} h"), "host"),
]


@pytest.mark.parametrize(("content", "why"), MALFORMED)
def test_a_line_that_is_no_cookie_is_named_and_not_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes, why: str
) -> None:
    """The message holds file, line and reason; the value of a cookie stands nowhere, nor does a traceback."""
    file = tmp_path / "cookies.txt"
    file.write_bytes(HEAD + line() + content)

    with pytest.raises(UsageError) as caught:
        load_cookies(FetchConfig(cookies_file=str(file)))

    message = str(caught.value)
    assert message.startswith(f"--load-cookies: '{file}', line 3: ")
    assert why in message
    assert SECRET not in message + "".join(capfd.readouterr())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_fail_otherwise(content: bytes) -> None:
    """Any file is read, or refused with the reason of one line."""
    with suppress(UsageError):
        assert read_cookies(line() + content)[0].name == "a"


def test_a_request_has_one_cookie_line(tmp_path: Path) -> None:
    """RFC 6265, 5.4: a file's cookies stand in front of those that the user or a script gives by header."""
    user = (("cookie", "b=2"),)
    request = Request(url=parse("http://h.example/"), named=True)
    own = Request(url=parse("http://h.example/"), named=True, headers=(("Cookie", "c=3"),))
    elsewhere = Request(url=parse("http://other.example/"), named=True)

    assert wire(tmp_path, line(), request, user) == [b"Cookie: a=1; b=2"]
    assert wire(tmp_path, line(), own, user) == [b"Cookie: a=1; c=3"]
    assert wire(tmp_path, line(), elsewhere, user) == [b"cookie: b=2"]
    assert wire(tmp_path, line(), a_request("http://h.example/", foreign=True), user) == [b"Cookie: a=1"]
