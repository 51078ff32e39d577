"""Cookies that servers set: RFC 6265, 5.1.1, 5.2 and 5.3, and RFC 6265bis where browsers agree on it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.urls import parse
from crawler.downloader.cookie_jar import CookieJar
from crawler.http.cookie_store import MOST_DOMAINS, MOST_OF_DOMAIN
from crawler.http.set_cookie import cookie_date, read_set_cookie

NOW = 1_700_000_000.0
HOME = "http://home.example.org:8080/cookie/parser?0001"
GONE = "Thu, 01 Jan 1970 00:00:00 GMT"


def sent(*received: str, url: str = HOME, to: str | None = None) -> str:
    """Return the Cookie header of the next request, after an answer with these Set-Cookie headers."""
    jar = CookieJar()
    jar.take(parse(url), [value.encode() for value in received], NOW)
    return jar.header(parse(to or url), NOW)


PAIRS = [
    # a value is sent as it was set
    (["foo=bar"], "foo=bar"),
    (["s=dGVzdA=="], "s=dGVzdA=="),
    (['j={"k":1}'], 'j={"k":1}'),
    (["a=x,y"], "a=x,y"),
    (['q="quoted"'], 'q="quoted"'),
    (['q="a b'], 'q="a b'),
    (["a=1 2"], "a=1 2"),
    (["empty="], "empty="),
    (["empty=;"], "empty="),
    (["  foo  =  bar  "], "foo=bar"),
    (["foo=\tbar\t; path=/"], "foo=bar"),
    (["foo bar=baz"], "foo bar=baz"),
    (["$Version=1"], "$Version=1"),
    (["foo=caf\u00e9"], "foo=caf\u00e9"),
    (["a=b=c"], "a=b=c"),
    (["a=%26"], "a=%26"),
    (["Foo=1", "foo=2"], "Foo=1; foo=2"),
    # one without a name is its value alone; one without both is none
    (["foo"], "foo"),
    (["=bar"], "bar"),
    (["="], ""),
    ([""], ""),
    ([";"], ""),
    (["; path=/"], ""),
    # a later one replaces, and keeps its place
    (["a=1", "b=2", "a=3"], "a=3; b=2"),
    (["a=1; path=/cookie", "a=2; path=/"], "a=1; a=2"),
    # control characters end nothing: the cookie is refused
    (["a=b\x00c"], ""),
    (["a\x1f=b"], ""),
    (["a=b; path=/\x01"], ""),
    (["a=b\tc"], "a=b\tc"),
    # lengths
    (["n=" + "x" * 4095], "n=" + "x" * 4095),
    (["n=" + "x" * 4096], ""),
    (["n=" + "\u20ac" * 1366], ""),
]


@pytest.mark.parametrize(("received", "expected"), PAIRS)
def test_a_cookie_comes_back_as_it_was_set(received: list[str], expected: str) -> None:
    """RFC 6265, 5.2: name and value byte for byte (http-state: the cases of the plain, name, value and order kinds)."""
    assert sent(*received) == expected


EXPIRIES = [
    (f"a=1; Expires={GONE}", False),
    ("a=1; expires=Fri, 07 Aug 2049 23:59:59 GMT", True),
    ("a=1; expires=Fri 07-Aug-49 23:59:59", True),
    ("a=1; expires=Aug 7 2049 23:59:59", True),
    ("a=1; Expires=soon", True),  # no date: until the session ends
    ("a=1; Expires=", True),
    (f"a=1; Expires={GONE}; Expires=Fri, 07 Aug 2049 23:59:59 GMT", True),
    ("a=1; Max-Age=0", False),
    ("a=1; Max-Age=-1", False),
    ("a=1; max-age=60", True),
    ("a=1; Max-Age=60.5", True),  # no number: ignored
    ("a=1; Max-Age=+0", True),
    ("a=1; Max-Age=", True),
    (f"a=1; Max-Age=60; Expires={GONE}", True),
    (f"a=1; Expires={GONE}; Max-Age=60", True),
    ("a=1; Max-Age=99999999999999999999999", True),
    ("a=1; Max-Age=00000000000000000000005", True),
    ("a=1; Max-Age=0; Max-Age=x", False),
    (f"a=1; Expires={GONE}; Expires=soon", False),
]


@pytest.mark.parametrize(("received", "stays"), EXPIRIES)
def test_a_cookie_goes_when_it_is_deleted(received: str, *, stays: bool) -> None:
    """RFC 6265, 5.2.1, 5.2.2 and 5.3: a moment that has passed deletes; Max-Age beats Expires; the last one counts."""
    assert sent("a=0", received) == ("a=1" if stays else "")


DATES = [
    ("Sat, 15-Apr-17 21:01:22 GMT", 1492290082),
    ("Thu, 19-Apr-2007 16:00:00 GMT", 1176998400),
    ("Wed, 25 Apr 2007 21:02:13 GMT", 1177534933),
    ("Sun Apr 15 21:01:22 2017", 1492290082),
    ("21:01:22 15 April 17", 1492290082),
    ("Thu, 01-Jan-1970 0:0:0", 0),
    ("Fri, 01 Jan 1600 00:00:00 GMT", None),
    ("Fri, 32 Jan 2027 00:00:00 GMT", None),
    ("Fri, 30 Feb 2027 00:00:00 GMT", None),
    ("Fri, 01 Jan 2027 24:00:00 GMT", None),
    ("Fri, 01 Jan 2027", None),
    ("01 Foo 2027 00:00:00", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), DATES)
def test_a_date_is_read_in_any_of_its_forms(text: str, expected: int | None) -> None:
    """RFC 6265, 5.1.1."""
    assert cookie_date(text) == expected


DOMAINS = [
    # set by home.example.org
    ("a=1; domain=example.org", "http://sub.example.org/", True),
    ("a=1; domain=.example.org", "http://example.org/", True),
    ("a=1; Domain=EXAMPLE.org", "http://home.example.org/cookie/", True),
    ("a=1; domain=home.example.org", "http://deep.home.example.org/", True),
    ("a=1", "http://deep.home.example.org/", False),
    ("a=1; domain=", "http://deep.home.example.org/", False),
    ("a=1; domain=", "http://home.example.org/cookie/", True),
    ("a=1; domain=sibling.example.org", "http://home.example.org/cookie/", False),
    ("a=1; domain=sibling.example.org", "http://sibling.example.org/", False),
    ("a=1; domain=org", "http://home.example.org/cookie/", False),
    ("a=1; domain=.org", "http://other.org/", False),
    ("a=1; domain=ome.example.org", "http://home.example.org/cookie/", False),
    ("a=1; domain=example.org; domain=other.example", "http://home.example.org/cookie/", False),
    ("a=1; domain=other.example; domain=example.org", "http://sub.example.org/", True),
    ("a=1; domain=exa mple.org", "http://home.example.org/cookie/", False),
    ("a=1; domain=example.org/x", "http://home.example.org/cookie/", False),
    ("a=1; domain=example.org:8080", "http://home.example.org/cookie/", False),
    ("a=1; domain=me@example.org", "http://home.example.org/cookie/", False),
    ("a=1", "https://home.example.org/cookie/", True),
    ("a=1", "http://home.example.org/cookie/", True),  # a cookie knows no port
]


@pytest.mark.parametrize(("received", "to", "goes"), DOMAINS)
def test_a_server_speaks_for_its_domain(received: str, to: str, *, goes: bool) -> None:
    """RFC 6265, 5.2.3 and 5.3, steps 5 and 6: for its host and the domains above it, except public suffixes."""
    assert bool(sent(received + "; path=/", to=to)) == goes


@pytest.mark.parametrize(
    ("url", "domain", "to", "goes"),
    [
        ("http://127.0.0.1/", "127.0.0.1", "http://127.0.0.1:81/", True),
        ("http://127.0.0.1/", "0.0.1", "http://127.0.0.1/", False),
        ("http://localhost/", "localhost", "http://localhost:81/", True),
        ("http://a.localhost/", "localhost", "http://b.localhost/", False),
        ("http://a.localhost/", "localhost", "http://a.localhost/", False),
        ("http://a.github.io/", "github.io", "http://b.github.io/", False),
        ("http://github.io/", "github.io", "http://github.io/", True),
        ("http://github.io/", "github.io", "http://b.github.io/", False),
        ("http://a.co.uk/", "co.uk", "http://b.co.uk/", False),
        ("http://w.b\u00fccher.example/", "b\u00fccher.example", "http://xn--bcher-kva.example/", True),
        ("http://[::1]/", "[::1]", "http://[::1]:81/", True),
    ],
)
def test_addresses_and_suffixes_have_no_hosts_below(url: str, domain: str, to: str, *, goes: bool) -> None:
    """RFC 6265, 5.1.3 and 5.3, step 5."""
    assert bool(sent(f"a=1; domain={domain}; path=/", url=url, to=to)) == goes


PATHS = [
    ("a=1", "/cookie/parser", True),
    ("a=1", "/cookie", True),
    ("a=1", "/cookies", False),
    ("a=1", "/", False),
    ("a=1; path=/", "/", True),
    ("a=1; path=/x", "/x/y", True),
    ("a=1; path=/x", "/xy", False),
    ("a=1; path=/x/", "/x", False),
    ("a=1; path=x", "/cookie/2", True),  # no path: the request's folder
    ("a=1; path=", "/cookie/2", True),
    ("a=1; path=/x; path=/", "/", True),
    ('a=1; path="/x"', "/cookie/2", True),
]


@pytest.mark.parametrize(("received", "path", "goes"), PATHS)
def test_a_cookie_goes_to_its_path(received: str, path: str, *, goes: bool) -> None:
    """RFC 6265, 5.1.4 and 5.2.4."""
    assert bool(sent(received, to=f"http://home.example.org{path}")) == goes


SECURE = [
    ("https://h.example/", ["a=1; Secure"], "https://h.example/", "a=1"),
    ("https://h.example/", ["a=1; Secure"], "http://h.example/", ""),
    ("http://h.example/", ["a=1; Secure"], "https://h.example/", ""),
    ("http://127.0.0.1/", ["a=1; Secure"], "http://127.0.0.1/", "a=1"),
    ("https://h.example/", ["__Secure-a=1"], "https://h.example/", ""),
    ("https://h.example/", ["__secure-a=1; Secure"], "https://h.example/", "__secure-a=1"),
    ("https://h.example/", ["__Host-a=1; Secure"], "https://h.example/", ""),
    ("https://h.example/", ["__Host-a=1; Secure; Path=/"], "https://h.example/", "__Host-a=1"),
    ("https://w.h.example/", ["__Host-a=1; Secure; Path=/; Domain=h.example"], "https://w.h.example/", ""),
    ("https://h.example/", ["=__Host-a=1; Secure; Path=/"], "https://h.example/", ""),
]


@pytest.mark.parametrize(("url", "received", "to", "expected"), SECURE)
def test_a_secure_cookie_is_safe(url: str, received: list[str], to: str, expected: str) -> None:
    """RFC 6265, 5.2.5; RFC 6265bis, 4.1.3 (prefixes) and 5.7."""
    assert sent(*received, url=url, to=to) == expected


@pytest.mark.parametrize(
    ("first", "second", "written", "expected"),
    [
        ("https://h.example/", "http://h.example/", "a=2", "a=1"),
        ("https://h.example/", "https://h.example/", "a=2", "a=2"),
        ("https://w.h.example/", "http://h.example/", "a=2; Domain=h.example", "a=1"),
        ("https://h.example/", "http://w.h.example/", "a=2; Domain=h.example", "a=1"),
        ("https://h.example/", "http://h.example/", "b=2", "a=1; b=2"),
    ],
)
def test_nobody_replaces_a_secure_cookie_in_clear(first: str, second: str, written: str, expected: str) -> None:
    """RFC 6265bis, 5.7: "leave secure cookies alone"."""
    jar = CookieJar()
    jar.take(parse(first), [b"a=1; Secure; Path=/"], NOW)
    jar.take(parse(second), [f"{written}; Path=/".encode()], NOW)

    assert jar.header(parse(first), NOW) == expected


def test_the_longest_path_stands_first_then_the_oldest() -> None:
    """RFC 6265, 5.4, step 2."""
    assert sent("a=1; path=/", "b=2; path=/cookie", "c=3; path=/cookie") == "b=2; c=3; a=1"


@given(st.binary(max_size=80))
def test_no_bytes_of_a_server_make_reading_fail(value: bytes) -> None:
    """A cookie that was read is sent back within one line."""
    jar = CookieJar()
    jar.take(parse(HOME), [value], NOW)

    assert not set(jar.header(parse(HOME), NOW)) & {"\r", "\n", "\0"}


@given(st.text('=;, \t"ab\u00e9%', max_size=12), st.text('=, \t"ab\u00e9%', max_size=12))
def test_name_and_value_come_back(name: str, value: str) -> None:
    """All that a header can hold, white space at the ends apart."""
    cookie = read_set_cookie(f"{name}={value}".encode(), parse(HOME), NOW)
    written = f"{name}={value}".partition(";")[0]

    if cookie is not None:
        left, equals, right = written.partition("=")
        assert (cookie.name, cookie.value) == ((left.strip(), right.strip()) if equals else ("", left.strip()))


def test_the_memory_of_a_jar_is_bounded() -> None:
    """A hostile server, and a list of endless hosts, push out the oldest."""
    jar = CookieJar()
    for number in range(MOST_OF_DOMAIN + 5):
        jar.take(parse("http://h.example/"), [f"n{number}=1".encode()], NOW)
    assert len(jar) == MOST_OF_DOMAIN
    assert jar.header(parse("http://h.example/"), NOW).startswith("n5=1; ")

    for number in range(MOST_DOMAINS):
        jar.take(parse(f"http://h{number}.example/"), [b"a=1"], NOW)
    assert len(jar) == MOST_DOMAINS
    assert jar.header(parse("http://h.example/"), NOW) == ""
