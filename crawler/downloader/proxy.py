"""One proxy: its kind, its address and its credentials, as a URL names them.

Rules
- The kinds are curl's: http:// and https:// proxies are asked by HTTP, https:// over TLS with the proxy itself. A
  socks5:// proxy is told addresses, which are looked up and judged here; a socks5h:// proxy is told names.
- The password goes to the proxy alone and into no message.
Runs on: anywhere (pure).
"""

from enum import Enum

import msgspec

from crawler.core import urls
from crawler.core.errors import FetchError, UrlError, UsageError
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.http.authorization import basic

_SOCKS_PORT = 1080  # RFC 1928, 3
_MOST_OCTETS = 255  # of a user name and of a password (RFC 1929, 2)


class ProxyKind(Enum):
    """The kind of a proxy, which is the scheme of its URL."""

    HTTP = "http"
    HTTPS = "https"
    SOCKS5 = "socks5"
    SOCKS5H = "socks5h"


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy.

    Attributes:
        url: where it listens; http:// for SOCKS too, which knows no TLS.
        user: its user name and password.
        option: the option or variable that names it, for messages.
    """

    kind: ProxyKind
    url: Url
    user: tuple[str, str] | None
    option: str

    def __repr__(self) -> str:
        return f"<Proxy {self.kind.value}://{self.url.host_port}>"

    @property
    def is_socks(self) -> bool:
        """Return whether it is asked by SOCKS5, and not by HTTP."""
        return self.kind in {ProxyKind.SOCKS5, ProxyKind.SOCKS5H}

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers for the proxy itself: its credentials, if it has any."""
        return (("Proxy-Authorization", basic(*self.user)),) if self.user else ()

    def forwards(self, url: Url) -> bool:
        """Return whether the proxy itself is asked for the URL; otherwise it opens a tunnel to the host."""
        return url.scheme == "http" and not self.is_socks

    def failed(self, what: str) -> FetchError:
        """Return the error of a proxy that did `what`, a verb with its object and advice."""
        return FetchError(Reason.PROXY_FAILED, f"{self.option}: the proxy {self.url.host_port} {what}")


def proxy_from(text: str, option: str) -> Proxy:
    """Return the proxy that a URL names.

    Raises:
        UsageError: the text is no URL of a proxy; the message names the option.
    """
    scheme, colon, rest = text.strip().partition("://")
    if not colon:
        raise UsageError(f"{option}: write http:// in front, as in http://localhost:3128")
    try:
        kind = ProxyKind(scheme.lower())
    except ValueError:
        known = "give an http://, https://, socks5:// or socks5h:// URL"
        raise UsageError(f"{option}: it has the scheme of no proxy: {known}") from None
    try:
        url = _listening(kind, rest)
    except UrlError as error:
        raise UsageError(f"{option}: {error}") from error
    proxy = Proxy(kind=kind, url=url, user=urls.credentials(f"http://{rest}"), option=option)
    if proxy.is_socks and any(len(part.encode()) > _MOST_OCTETS for part in proxy.user or ()):
        raise UsageError(
            f"{option}: SOCKS takes user names and passwords of at most {_MOST_OCTETS} bytes: shorten them"
        )
    return proxy


def _listening(kind: ProxyKind, rest: str) -> Url:
    """Return the URL at which a proxy of this kind listens; `rest` is its text behind the scheme."""
    if kind is ProxyKind.HTTPS:
        return urls.parse(f"https://{rest}")
    url = urls.parse(f"http://{rest}")
    if kind is ProxyKind.HTTP or url.port == urls.parse(f"https://{rest}").port:
        return url
    return urls.parse(f"http://{url.host}:{_SOCKS_PORT}")  # each scheme filled in its own port: none is written
