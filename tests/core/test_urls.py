import pickle
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.core.errors import UrlError
from crawler.core.reasons import Reason
from crawler.core.urls import Url, credentials, parse

BASE = parse("http://site.example/docs/guide/intro.html?v=2")

CANONICAL = [
    ("http://h", "http://h/"),  # the root has a path
    ("  \t http://h/a \n", "http://h/a"),  # white space around it, as lists have it
    ("http://h/a\tb\r\nc", "http://h/abc"),  # tabs and line ends within, as wrapped attributes have them
    ("http://h/a b?c d", "http://h/a%20b?c%20d"),  # spaces within are encoded
    ("HTTP://EXAMPLE.Com/Path?Query", "http://example.com/Path?Query"),  # only scheme and host ignore case
    ("http://h:80/", "http://h/"),  # the default port of http
    ("https://h:443/", "https://h/"),  # the default port of https
    ("https://h:80/", "https://h:80/"),  # the other scheme's default is none
    ("http://h:08080/", "http://h:8080/"),  # a port with a leading zero
    ("http://h:/a", "http://h/a"),  # an empty port
    ("http://h/a/./b/../c", "http://h/a/c"),  # dot segments
    ("http://h/a/%2E%2e/b", "http://h/b"),  # dot segments in disguise
    ("http://h/../../a", "http://h/a"),  # nothing is above the root
    ("http://h//a///b", "http://h//a///b"),  # empty segments mean something
    ("http:\\\\h\\a\\b", "http://h/a/b"),  # backslashes, as typed on Windows
    ("http:h/a", "http://h/a"),  # slashes forgotten
    ("http:////h/a", "http://h/a"),  # slashes in plenty
    ("http://h/a#part", "http://h/a"),  # a fragment is not sent
    ("http://h/a#", "http://h/a"),  # an empty one neither
    ("http://h/a?b#c?d#e", "http://h/a?b"),  # the first # ends the query
    ("http://h/a?", "http://h/a?"),  # an empty query is another resource than none
    ("http://h/a?#", "http://h/a?"),  # also before a fragment
    ("http://u:p@h/a@b", "http://h/a@b"),  # name and password are dropped, an @ in the path is not
    ("http://u@h/", "http://h/"),  # a name alone
    ("http://:@h/", "http://h/"),  # an empty name and password
    ("http://h/%7ea/%e4", "http://h/%7ea/%e4"),  # percent-encoded bytes stay as they are written
    ("http://h/100%", "http://h/100%"),  # a stray percent sign too
    ("http://h/^?^#^", "http://h/%5E?^"),  # a caret is escaped in a path, and only there
    ("http://h/ä?ö", "http://h/%C3%A4?%C3%B6"),  # other characters become UTF-8
    ("http://h/\x00", "http://h/"),  # control characters at the end go like white space
    ("http://bücher.example/", "http://xn--bcher-kva.example/"),  # international names become punycode
    ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),  # after lower-casing
    ("http://\uff45\uff58ample\u3002com/", "http://example.com/"),  # full-width letters and the ideographic full stop
    ("http://%65xample.com/", "http://example.com/"),  # a percent-encoded host
    ("http://so\u00adft.example/", "http://soft.example/"),  # a soft hyphen in a host is nothing
    ("http://example.com./", "http://example.com./"),  # an absolute name is another host
    ("http://0x7f.1/", "http://127.0.0.1/"),  # IPv4: hexadecimal and short
    ("http://0177.0.0.01/", "http://127.0.0.1/"),  # IPv4: octal
    ("http://2130706433/", "http://127.0.0.1/"),  # IPv4: one number
    ("http://127.1./", "http://127.0.0.1/"),  # IPv4: trailing dot
    ("http://①②⑦.⓪.⓪.①/", "http://127.0.0.1/"),  # IPv4: circled digits
    ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),  # IPv6: longest run of zeros
    ("http://[2001:DB8::0:1]:80/", "http://[2001:db8::1]/"),  # IPv6: case, and a port
    ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),  # IPv6: with IPv4 in it
]

JOINED = [
    ("b.html", "http://site.example/docs/guide/b.html"),  # a sibling
    ("../b", "http://site.example/docs/b"),  # one folder up
    ("/b", "http://site.example/b"),  # from the root
    ("//other.example/b", "http://other.example/b"),  # same scheme, other host
    ("?v=3", "http://site.example/docs/guide/intro.html?v=3"),  # other query
    ("?", "http://site.example/docs/guide/intro.html?"),  # an empty one
    ("", "http://site.example/docs/guide/intro.html?v=2"),  # the page itself
    ("#part", "http://site.example/docs/guide/intro.html?v=2"),  # a place on the page
    ("http:b", "http://site.example/docs/guide/b"),  # the same scheme repeated is still relative
    ("https:b", "https://b/"),  # another scheme is not
    ("HTTPS://U:P@H:443/b", "https://h/b"),  # absolute
]

REFUSED = [
    ("", Reason.NOT_A_URL),
    (" \t ", Reason.NOT_A_URL),
    ("http://", Reason.NOT_A_URL),  # no host
    ("http://a b/", Reason.NOT_A_URL),  # no host has a space
    ("http://h:65536/", Reason.NOT_A_URL),  # no such port
    ("http://h:80a/", Reason.NOT_A_URL),
    ("http://1.2.3.256/", Reason.NOT_A_URL),  # ends in a number, so it must be an IPv4 address
    ("http://[::1/", Reason.NOT_A_URL),
    ("http://[fe80::1%25eth0]/", Reason.NOT_A_URL),  # a zone has no place in a URL
    ("http://xn--a.ä/", Reason.NOT_A_URL),  # damaged punycode beside what is to be encoded
    ("http://h/\ud800", Reason.NOT_A_URL),  # half a character
    ("\udcff", Reason.NOT_A_URL),  # how Python shows a byte that is not UTF-8
    ("example.com/page", Reason.RELATIVE_URL),
    ("localhost:8000/x", Reason.RELATIVE_URL),  # by the standard, a scheme named localhost
    ("example.com:8080", Reason.RELATIVE_URL),
    ("127.0.0.1:8000/x", Reason.RELATIVE_URL),
    (" localhost:80 ", Reason.RELATIVE_URL),  # white space around it
    ("/path", Reason.RELATIVE_URL),
    ("//h/path", Reason.RELATIVE_URL),
    ("ftp://h/", Reason.UNSUPPORTED_SCHEME),
    ("file:///etc/passwd", Reason.UNSUPPORTED_SCHEME),
    ("mailto:someone@site.example", Reason.UNSUPPORTED_SCHEME),
    ("javascript:void(0)", Reason.UNSUPPORTED_SCHEME),
    ("data:text/html,x", Reason.UNSUPPORTED_SCHEME),
    ("blob:http://h/1", Reason.UNSUPPORTED_SCHEME),
    ("tel:+123456789", Reason.UNSUPPORTED_SCHEME),
    ("http://h:25/", Reason.BLOCKED_PORT),  # mail
    ("https://h:22/", Reason.BLOCKED_PORT),  # ssh
    ("http://h:0/", Reason.BLOCKED_PORT),  # nobody listens there
    ("http://h:6667/", Reason.BLOCKED_PORT),  # chat
    ("http://h:10080/", Reason.BLOCKED_PORT),  # the last of the table
]

URL_ISH = st.text(
    st.sampled_from("htps:/?#[]@%.\\-_ \t\n0123456789abxnAÜß\u0131。①７\u200d\u00ad\ud800😀&=+|^`{}~!$'()*,;\"<>\x00")
)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
WRITTEN = st.one_of(
    ANY_TEXT,
    URL_ISH,
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["http://", "https://xn--", "http://h/", "http://h?", "//", ""]),
        URL_ISH,
        ANY_TEXT,
    ),
)


@pytest.mark.parametrize(("text", "href"), CANONICAL)
def test_every_spelling_becomes_the_canonical_one(text: str, href: str) -> None:
    """Each way to write a URL leads to the one spelling that is stored and asked for."""
    assert parse(text).href == href
    assert parse(href).href == href


@pytest.mark.parametrize(("text", "href"), JOINED)
def test_a_link_is_resolved_against_its_page(text: str, href: str) -> None:
    """A link means what a browser on that page would go to."""
    assert parse(text, BASE).href == href


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_text_that_cannot_be_fetched_is_refused_with_its_reason(text: str, reason: Reason) -> None:
    """A text that is no URL of the web is refused, and the reason is machine-readable."""
    with pytest.raises(UrlError) as refusal:
        parse(text)

    assert refusal.value.reason is reason


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("example.com/page", "no http:// or https:// in front"),
        ("localhost:8000/x", "no http:// or https:// in front"),
        ("gopher://h/", "gopher"),
        ("http://h:6000/", "port 6000"),
    ],
)
def test_a_refusal_says_what_to_do(text: str, hint: str) -> None:
    """The message names the culprit or the remedy."""
    with pytest.raises(UrlError, match=hint):
        parse(text)


def test_a_refusal_does_not_repeat_a_password() -> None:
    """A message that ends in a log or on a screen holds nothing of the text's secrets."""
    for text in ("http://u:s3cret@h:99999/", "http://u:s3cret@h:25/", "ftp://u:s3cret@h/", "u:s3cret@h/"):
        with pytest.raises(UrlError) as refusal:
            parse(text)

        assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["mailto:a@b.example", "localhost:8000/x"])
def test_a_link_with_another_scheme_is_not_taken_for_a_host(text: str) -> None:
    """On a page, `localhost:8000/x` is what browsers make of it: a link with an unknown scheme."""
    with pytest.raises(UrlError) as refusal:
        parse(text, BASE)

    assert refusal.value.reason is Reason.UNSUPPORTED_SCHEME


def test_a_broken_link_is_no_url() -> None:
    """A link that cannot be resolved is not called relative: its page is known."""
    with pytest.raises(UrlError) as refusal:
        parse("//[/", BASE)

    assert refusal.value.reason is Reason.NOT_A_URL


@pytest.mark.parametrize(
    "text",
    [
        "http://h/" + "a" * 92,  # one character too many
        "http://h/" + "ä" * 16,  # short, but long once it is encoded
        "http://h/#" + "a" * 100,  # the canonical form is short, the text is not
        "a" * 10_000_000,  # not read at all
    ],
)
def test_a_url_that_is_too_long_is_refused(text: str) -> None:
    """The limit holds for the text and for the canonical URL."""
    with pytest.raises(UrlError) as refusal:
        parse(text, max_length=100)

    assert refusal.value.reason is Reason.URL_TOO_LONG


def test_a_url_of_exactly_the_longest_length_is_taken() -> None:
    """The limit itself is allowed."""
    longest = "http://h/" + "a" * 91

    assert parse(longest, max_length=100).href == longest


def test_a_long_relative_link_is_measured_once_joined() -> None:
    """The limit counts for the URL that would be asked for."""
    with pytest.raises(UrlError) as refusal:
        parse("b" * 30, BASE, max_length=len(BASE.href))

    assert refusal.value.reason is Reason.URL_TOO_LONG


@pytest.mark.parametrize(
    ("text", "origin", "host_port", "target"),
    [
        ("http://h", "http://h", "h:80", "/"),
        ("https://h/a?b#c", "https://h", "h:443", "/a?b"),
        ("https://h:8443/a?", "https://h:8443", "h:8443", "/a?"),
        ("http://h:443/?//x", "http://h:443", "h:443", "/?//x"),
        ("http://u:p@[::1]:8000//a", "http://[::1]:8000", "[::1]:8000", "//a"),
    ],
)
def test_the_parts_of_a_url(text: str, origin: str, host_port: str, target: str) -> None:
    """A URL knows its origin, whom to be polite to, and what goes into the request line."""
    url = parse(text)

    assert (url.origin, url.host_port, url.target) == (origin, host_port, target)
    assert (url.scheme, url.host, url.port) == (origin.partition(":")[0], *_split(host_port))


def test_one_resource_is_one_url() -> None:
    """Two spellings are equal, hash alike and share a key; another resource does none of it."""
    first, second, other = parse("HTTP://H:80/a#x"), parse("http://u@h/a"), parse("http://h/A")

    assert first == second
    assert {first, second} == {first}
    assert first.key == second.key
    assert first != other
    assert first.key != other.key


def test_the_key_is_stable() -> None:
    """Keys are stored on disk, so they are the same in every process and release."""
    assert parse("http://h/").key.hex() == "2a5bc6670a3d10cac248536087a23308"


def test_a_url_prints_as_itself() -> None:
    """A URL in a message reads as it would in a browser."""
    assert f"{parse('http://H/a')}" == "http://h/a"


def test_a_url_travels_to_another_process() -> None:
    """Worker processes receive the same URL, with all its parts."""
    url = parse("https://h:8443/a?b")

    copy = pickle.loads(pickle.dumps(url))  # noqa: TID251, S301 (our own bytes, as the process pool does it)

    assert copy == url
    assert (copy.scheme, copy.host, copy.port) == (url.scheme, url.host, url.port)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://u:p@h/", ("u", "p")),
        ("http://u@h/", ("u", "")),
        ("http://:p@h/", ("", "p")),
        ("http://a%40b:p%3A%2F%20ä@h/", ("a@b", "p:/ ä")),  # percent-decoded
        ("http://u:p@q@h/", ("u", "p@q")),  # the last @ ends it
        ("http://h/u:p@x", None),  # in the path
        ("http://@h/", None),  # empty
        ("http://h/", None),
        ("u:p@h", None),  # no URL
        ("http://u:p@h:99999/", None),  # no URL
        ("http://u:\ud800@h/", None),  # no URL
    ],
)
def test_credentials_in_a_url_are_found(text: str, found: tuple[str, str] | None) -> None:
    """The user name and password of a URL can be read, to use or to refuse them."""
    assert credentials(text) == found


@settings(max_examples=500, deadline=None)
@given(WRITTEN)
def test_no_text_raises_anything_but_a_url_error(text: str) -> None:
    """Any text of a page or a list becomes a canonical URL or a `UrlError`."""
    for base in (None, BASE):
        try:
            url = parse(text, base)
        except UrlError:
            continue
        _assert_canonical(url)


@settings(deadline=None)
@given(WRITTEN | st.builds("http://{}:{}@h/{}".format, ANY_TEXT, ANY_TEXT, URL_ISH))
def test_credentials_never_raise(text: str) -> None:
    """Looking for a password in any text is safe, and a URL that parses keeps none."""
    credentials(text)

    with suppress(UrlError):
        assert credentials(parse(text).href) is None


def _assert_canonical(url: Url) -> None:
    assert parse(url.href) == url
    assert parse(url.href).href == url.href
    assert url.href.isascii()
    assert url.href == url.origin + url.target
    assert url.target.startswith("/")
    assert "#" not in url.href
    assert "@" not in url.origin
    assert url.origin.startswith(f"{url.scheme}://{url.host}")
    assert credentials(url.href) is None


def _split(host_port: str) -> tuple[str, int]:
    host, _, port = host_port.rpartition(":")
    return host, int(port)
