"""core.redirects: which responses redirect, and where to."""

import pytest

from crawler.core.errors import UrlError
from crawler.core.messages import Request, Response
from crawler.core.urls import parse
from crawler.http.redirects import is_redirect, target


def answer(location: bytes | None, status: int = 302) -> Response:
    """An answer of `http://h/a/b` with this Location."""
    headers = () if location is None else ((b"location", location),)
    return Response(request=Request(url=parse("http://h/a/b")), status=status, headers=headers)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (b"/jos\xe9/", "/jos%E9/"),  # WHATWG URL: octets that are no UTF-8 stay octets, as in Chromium
        (b"/jos\xc3\xa9/", "/jos%C3%A9/"),  # UTF-8
        (b"/jos%e9/", "/jos%e9/"),  # written out, and left as it is
        (b"?q=\xe9&r=\xc3\xa9", "/a/b?q=%E9&r=%C3%A9"),  # one after the other
        (b"/\xff\xfe\x80", "/%FF%FE%80"),
        (b"/\xe3\x81", "/%E3%81"),  # a letter that was cut
        (b"/\xed\xa0\x80", "/%ED%A0%80"),  # a surrogate, which UTF-8 does not have
        (b"/\xc0\xaf", "/%C0%AF"),  # an overlong slash is none
        (b"/\xf4\x90\x80\x80", "/%F4%90%80%80"),  # beyond Unicode
        (b"/citt\xc3\xa0", "/citt%C3%A0"),  # its last byte is a no-break space in latin-1
        (b"/\xc3\x85", "/%C3%85"),  # and this one a new line
        (b" \t/x\t ", "/x"),  # RFC 9110, 5.5: white space around a value is not part of it
        (b"/a b", "/a%20b"),
    ],
)
def test_bytes_stay_bytes(location: bytes, expected: str) -> None:
    """The crawler asks for the octets that the server wrote."""
    url = target(answer(location))

    assert url is not None
    assert url.target == expected


@pytest.mark.parametrize("location", [b"http://\xe9.example/", b"http://h\xff/", b"//"])
def test_octets_are_no_host(location: bytes) -> None:
    """A host of bytes that are no UTF-8 is none (URL standard, "host parser")."""
    with pytest.raises(UrlError):
        target(answer(location))


def test_a_host_in_utf8_is_one_beside_a_path_that_is_none() -> None:
    """Each byte is judged by itself: Chromium escapes all of them, which comes to the same URL."""
    url = target(answer("http://bücher.example/".encode() + b"\xe9"))

    assert url is not None
    assert url.href == "http://xn--bcher-kva.example/%E9"


@pytest.mark.parametrize("location", [None, b"", b" ", b"\t"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_without_a_location_nothing_redirects(location: bytes | None, status: int) -> None:
    """Fetch, "location URL": the answer is the page."""
    assert not is_redirect(answer(location, status))
    assert target(answer(location, status)) is None


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 309, 399, 404])
def test_other_statuses_do_not_redirect(status: int) -> None:
    """Fetch, "redirect status"."""
    assert not is_redirect(answer(b"/x", status))
    assert target(answer(b"/x", status)) is None


def test_a_redirect_to_what_is_no_url_is_one() -> None:
    """Its body is no page."""
    assert is_redirect(answer(b"javascript:alert(1)"))
