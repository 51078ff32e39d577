"""What a request tells about who asks: its headers.

Rules
- `--header`, `--user` and the bearer token go only to hosts that the user named, and stay away from a request to which
  only a redirect from another origin led: another scheme or port is another origin, up to https as well as down from
  it. A file's cookies go to their own domains, the secure ones over TLS alone. Everyone else sees the user agent, what
  is accepted, and the request's own headers.
- A header of the request replaces the user's, the user's replaces ours. Framing is ours alone.
- Nothing here can start a new line.
Runs on: the event loop; the cookie file is read once, at the start.
"""

import re
from base64 import b64encode
from http.cookiejar import LoadError, MozillaCookieJar
from urllib.request import Request as CookieRequest

from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.core.models import Request
from crawler.core.text import safe

Headers = tuple[tuple[str, str], ...]

_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_ACCEPT_ENCODING = "gzip, deflate, br, zstd"
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "upgrade"})
_EXPECT_BODY = frozenset({"POST", "PUT", "PATCH"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]*")


def basic(name: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617, in UTF-8)."""
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


class Identity:
    """The headers of every request of one fetcher.

    Args:
        to_proxy: what is said to the proxy that sees http requests in clear; None = there is no proxy.
    """

    def __init__(self, config: FetchConfig, to_proxy: Headers | None = None) -> None:
        ours: Headers = (
            ("User-Agent", config.full_user_agent),
            ("Accept", _ACCEPT),
            ("Accept-Encoding", _ACCEPT_ENCODING),
        )
        full = _over(ours, (*_authorization(config), *config.headers))
        self._headers = {True: full, False: ours}
        self._ready = {trusted: _lines(headers) for trusted, headers in self._headers.items() if not _has_host(headers)}
        self._cookies = _cookies(config.cookies_file)
        self._to_proxy = to_proxy

    def message(self, request: Request) -> bytes:
        """The request as it goes on the wire.

        Raises:
            UsageError: a header would break the message.
        """
        url = request.url
        host = url.origin.partition("://")[2]
        own = (*self._cookie(request), *request.headers)
        target = url.target
        if self._to_proxy is not None and url.scheme == "http":
            own = (*own, *self._to_proxy)
            target = url.href
        trusted = request.named and not request.foreign
        if own or trusted not in self._ready:
            lines = _lines(_over(_over((("Host", host),), self._headers[trusted]), own))
        else:
            lines = f"Host: {host}\r\n{self._ready[trusted]}"
        head = f"{request.method} {target} HTTP/1.1\r\n{lines}{_length(request)}\r\n"
        return head.encode() + (request.body or b"")

    def _cookie(self, request: Request) -> Headers:
        if self._cookies is None:
            return ()
        asked = CookieRequest(request.url.href)  # noqa: S310 - never opened; the jar wants to see one
        self._cookies.add_cookie_header(asked)
        value = asked.get_header("Cookie")
        return (("Cookie", value),) if value else ()


def _authorization(config: FetchConfig) -> Headers:
    if config.basic_auth:
        return (("Authorization", basic(*config.basic_auth)),)
    return (("Authorization", f"Bearer {config.bearer}"),) if config.bearer else ()


def _cookies(path: str | None) -> MozillaCookieJar | None:
    if path is None:
        return None
    jar = MozillaCookieJar(path)
    try:
        jar.load(ignore_discard=True)
    except FileNotFoundError:
        raise UsageError(f"--load-cookies: {path!r}: no such file") from None
    except (OSError, ValueError, LoadError) as error:
        raise UsageError(f"--load-cookies: {path!r} is no cookies.txt file to read: {safe(str(error))}") from error
    return jar


def _over(under: Headers, over: Headers) -> Headers:
    """Both, with those of `over` instead of their namesakes below, and framing left out."""
    replaced = {name.lower() for name, _ in over} | _FRAMING
    kept = tuple((name, value) for name, value in under if name.lower() not in replaced)
    return (*kept, *((name, value) for name, value in over if name.lower() not in _FRAMING))


def _has_host(headers: Headers) -> bool:
    return any(name.lower() == "host" for name, _ in headers)


def _lines(headers: Headers) -> str:
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UsageError(f"the header {safe(name, 40)!r} holds what no header can: it would break the request")
    return "".join(f"{name}: {value}\r\n" for name, value in headers)


def _length(request: Request) -> str:
    if request.body is None and request.method not in _EXPECT_BODY:
        return ""
    return f"Content-Length: {len(request.body or b'')}\r\n"
