"""downloader.redirection: the next request after a redirect."""

import string
from collections.abc import AsyncGenerator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.core.errors import FetchError
from crawler.core.messages import BodySource, Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.downloader.redirection import redirected

SECRETS = (
    ("Authorization", "Bearer secret"),
    ("Cookie", "id=secret"),
    ("X-API-Key", "secret"),
    ("Proxy-Authorization", "secret"),
    ("X-Custom", "secret"),
    ("Referer", "https://a.example/?secret"),
    ("Origin", "secret"),
    ("Host", "secret.example"),
)
HARMLESS = (("User-Agent", "me"), ("Accept", "text/html"), ("Accept-Language", "en"), ("Range", "bytes=0-1"))


def _hop(
    location: str,
    status: int = 302,
    *,
    start: str = "https://a.example/x",
    method: str = "GET",
    body: bytes | None = None,
    source: BodySource | None = None,
) -> Request | None:
    headers = (*SECRETS, *HARMLESS)
    request = Request(url=parse(start), named=True, method=method, body=body, source=source, headers=headers)
    return redirected(Response(request=request, status=status, headers=((b"Location", location.encode()),)))


@pytest.mark.parametrize("secret", SECRETS, ids=lambda header: header[0])
@pytest.mark.parametrize(
    "location",
    [
        "https://b.example/",  # another host
        "https://sub.a.example/",  # a host below
        "http://a.example/",  # out of TLS
        "http://a.example:443/",  # out of TLS, on the same port
        "https://a.example:444/",  # another port
        "//b.example/",  # the same scheme, elsewhere
        "https://a.example.:443/",  # another name for DNS's root
    ],
)
def test_no_secret_goes_to_another_origin(secret: tuple[str, str], location: str) -> None:
    """Of 7 kinds of hop and 8 carriers, none takes a secret along."""
    hop = _hop(location)

    assert hop is not None
    assert secret not in hop.headers
    assert hop.headers == HARMLESS
    assert not hop.named


@pytest.mark.parametrize(
    "start", ["http://a.example/x", "http://a.example:8443/x"], ids=["standard ports", "the same port"]
)
def test_an_upgrade_to_tls_is_another_origin_too(start: str) -> None:
    """An attacker who changes an answer in clear does not choose the host that gets the credentials."""
    hop = _hop(start.replace("http:", "https:"), start=start)

    assert hop is not None
    assert hop.headers == HARMLESS
    assert not hop.named


TOKENS = st.text("!#$%&'*+-.^_`|~" + string.ascii_letters + string.digits, min_size=1)


@given(TOKENS)
@example("Range-Unit")
@example("X-Accept")
@example("Accept-")
def test_only_what_describes_the_client_goes_along(name: str) -> None:
    """Six headers cross to another origin, in any letter case; whatever else a request has is left behind."""
    harmless = {"user-agent", "accept", "accept-language", "accept-encoding", "accept-charset", "range"}
    given_headers = ((name, "v"), *((kept.title(), "v") for kept in sorted(harmless)))
    request = Request(url=parse("https://a.example/"), named=True, headers=given_headers)

    hop = redirected(Response(request=request, status=302, headers=((b"Location", b"https://b.example/"),)))

    assert hop is not None
    assert [kept for kept, _ in hop.headers] == [kept for kept, _ in given_headers if kept.lower() in harmless]


@pytest.mark.parametrize("location", ["/y", "y", "?q", "https://a.example:443/y", "HTTPS://A.example/y"])
def test_within_an_origin_everything_stays(location: str) -> None:
    """The same scheme, host and port keep headers and name."""
    hop = _hop(location)

    assert hop is not None
    assert hop.headers == (*SECRETS, *HARMLESS)
    assert hop.named
    assert hop.way.hops == 1


def test_coming_back_does_not_bring_secrets_back() -> None:
    """A round trip over another origin leaves the request without them, and unnamed."""
    away = _hop("https://b.example/")
    assert away is not None
    back = redirected(Response(request=away, status=302, headers=((b"Location", b"https://a.example/"),)))

    assert back is not None
    assert back.headers == HARMLESS
    assert not back.named


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        *((status, "POST", "GET") for status in (301, 302, 303)),
        *((status, "POST", "POST") for status in (307, 308)),
        *((status, "HEAD", "HEAD") for status in (301, 302, 303, 307, 308)),
        (303, "PUT", "GET"),
        (302, "PUT", "PUT"),
        (303, "DELETE", "GET"),
    ],
)
def test_the_method_follows_the_fetch_standard(status: int, method: str, becomes: str) -> None:
    """A method that becomes GET loses the body and its headers."""
    body = b"body" if method in {"POST", "PUT"} else None
    hop = _hop("/y", status, method=method, body=body)

    assert hop is not None
    assert hop.method == becomes
    assert hop.body == (body if becomes == method else None)


@pytest.mark.parametrize("status", [307, 308])
def test_a_body_is_never_sent_to_another_origin(status: int) -> None:
    """The fetch ends instead, and says why."""
    with pytest.raises(FetchError, match="body") as caught:
        _hop("https://b.example/", status, method="POST", body=b"body")

    assert caught.value.reason == Reason.BAD_REDIRECT


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://a.example/",
        "data:text/html,x",
        "javascript:alert(1)",
        "http://",
        "http://a.example:25/",
    ],
)
def test_what_is_not_fetched_ends_the_fetch(location: str) -> None:
    """No other scheme and no blocked port is reached by way of a redirect."""
    with pytest.raises(FetchError) as caught:
        _hop(location)

    assert caught.value.reason == Reason.BAD_REDIRECT


@pytest.mark.parametrize(
    ("status", "headers"), [(200, ((b"Location", b"/y"),)), (302, ()), (304, ((b"Location", b"/y"),))]
)
def test_what_is_no_redirect_has_no_next_request(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """Only a redirect status with a Location redirects."""
    request = Request(url=parse("https://a.example/"))

    assert redirected(Response(request=request, status=status, headers=headers)) is None


def test_a_location_in_utf8_is_read_as_such() -> None:
    """Servers write UTF-8 there, whatever the standard says."""
    hop = _hop("/caf\u00e9")

    assert hop is not None
    assert hop.url.href == "https://a.example/caf%C3%A9"


class _Once:
    """A body that can be read only once."""

    length: int | None = None
    is_repeatable = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield one piece."""
        yield b"body"


class _Often(_Once):
    """A body that can be read again."""

    is_repeatable = True


@pytest.mark.parametrize(
    ("source", "status", "location", "wanted"),
    [
        (_Often(), 307, "/y", "POST"),
        (_Once(), 307, "/y", None),
        (_Often(), 308, "https://b.example/", None),
        (_Once(), 308, "https://b.example/", None),
        (_Once(), 303, "/y", "GET"),
        (_Once(), 302, "https://b.example/", "GET"),
    ],
)
def test_a_body_in_pieces_follows_as_any_body(source: _Once, status: int, location: str, wanted: str | None) -> None:
    """It is repeated in full or is an error; a request that becomes GET drops it."""
    request = Request(url=parse("https://a.example/x"), named=True, method="POST", source=source)
    response = Response(request=request, status=status, headers=((b"Location", location.encode()),))

    if wanted is None:
        with pytest.raises(FetchError) as caught:
            redirected(response)
        assert caught.value.reason == Reason.BAD_REDIRECT
    else:
        hop = redirected(response)
        assert hop is not None
        assert (hop.method, hop.source) == (wanted, source if wanted == "POST" else None)
