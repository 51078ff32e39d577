"""The route to a URL's server: straight, through a proxy, or by a unix socket.

Rules
- A unix socket takes every request, whatever its host, redirects to other origins included (curl --unix-socket).
- `--proxy` names one proxy for all URLs; nothing of the environment counts then, no_proxy included.
- `--trust-env` reads http_proxy, https_proxy, all_proxy and no_proxy (`no_proxy.py`), in lower or upper case, as curl
  and requests do. A proxy without a scheme is an http:// one. Loopback is no exception unless no_proxy names it.
Strategy: `urllib.request.getproxies_environment` reads the variables: it prefers lower case, and leaves HTTP_PROXY out
where REQUEST_METHOD is set, since a server of CGI makes it of a header (CVE-2016-5385, "httpoxy").
Runs on: anywhere; `routes_from` reads the environment, and the rest is pure.
"""

from collections.abc import Iterable, Mapping

import msgspec

from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.core.urls import Url
from crawler.downloader.no_proxy import Exemption, exemptions
from crawler.downloader.proxy import Proxy, proxy_from

_SCHEMES = ("http", "https")


class UnixSocket(msgspec.Struct, frozen=True):
    """A unix socket that stands for every server."""

    path: str


Route = Proxy | UnixSocket | None
"""None = straight to the server."""


class Routes:
    """The routes of one fetcher.

    Args:
        proxies: by the scheme of the URL.
        exempt: the URLs that go straight to their servers in spite of `proxies`.
        unix_socket: takes every request.
    """

    def __init__(
        self, proxies: Mapping[str, Proxy], exempt: Iterable[Exemption] = (), unix_socket: UnixSocket | None = None
    ) -> None:
        self._proxies = proxies
        self._exempt = tuple(exempt)
        self._unix_socket = unix_socket

    def to(self, url: Url) -> Route:
        """Return the route to the server of a URL."""
        if self._unix_socket is not None:
            return self._unix_socket
        proxy = self._proxies.get(url.scheme)
        return None if proxy and any(entry.covers(url) for entry in self._exempt) else proxy


def routes_from(config: FetchConfig, unix_socket: str | None = None) -> Routes:
    """Return the routes that the options name.

    Raises:
        UsageError: two of them contradict each other, or one has a value that names no proxy.
    """
    if unix_socket is not None:
        if config.proxy is not None or config.trust_env:
            other = "--proxy" if config.proxy is not None else "--trust-env"
            raise UsageError(f"--unix-socket and {other}: give one of them, not both")
        return Routes({}, unix_socket=UnixSocket(unix_socket))
    if config.proxy is not None:
        return Routes(dict.fromkeys(_SCHEMES, proxy_from(config.proxy, "--proxy")))
    if not config.trust_env:
        return Routes({})
    from urllib.request import getproxies_environment  # noqa: PLC0415 - slow to import

    return _routes_of(getproxies_environment())


def _routes_of(found: Mapping[str, str]) -> Routes:
    """Return the routes of the environment's variables, by their names without `_proxy`."""
    proxies = {}
    for scheme in _SCHEMES:
        if name := next((name for name in (scheme, "all") if name in found), None):
            text = found[name] if "://" in found[name] else f"http://{found[name]}"
            proxies[scheme] = proxy_from(text, f"{name}_proxy")
    return Routes(proxies, exemptions(found.get("no", "")))
