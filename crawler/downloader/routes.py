"""The route to a URL's server: straight, or through a proxy.

Rules
- `--proxy` names one proxy for all URLs; nothing of the environment counts then, no_proxy included.
- `--trust-env` reads http_proxy, https_proxy, all_proxy and no_proxy (`no_proxy.py`), in lower or upper case, as curl
  and requests do. A proxy without a scheme is an http:// one. Loopback is no exception unless no_proxy names it.
Strategy: `urllib.request.getproxies_environment` reads the variables: it prefers lower case, and leaves HTTP_PROXY out
where REQUEST_METHOD is set, since a server of CGI makes it of a header (CVE-2016-5385, "httpoxy").
Runs on: anywhere; `routes_from` reads the environment, and the rest is pure.
"""

from collections.abc import Iterable, Mapping

from crawler.core.config import FetchConfig
from crawler.core.urls import Url
from crawler.downloader.no_proxy import Exemption, exemptions
from crawler.downloader.proxy import Proxy, proxy_from

_SCHEMES = ("http", "https")


class Routes:
    """The routes of one fetcher.

    Args:
        proxies: by the scheme of the URL.
        exempt: the URLs that go straight to their servers in spite of `proxies`.
    """

    def __init__(
        self,
        proxies: Mapping[str, Proxy],
        exempt: Iterable[Exemption] = (),
    ) -> None:
        self._proxies = proxies
        self._exempt = tuple(exempt)

    def to(self, url: Url) -> Proxy | None:
        """Return the proxy that leads to the server of a URL; None = straight."""
        proxy = self._proxies.get(url.scheme)
        return None if proxy and any(entry.covers(url) for entry in self._exempt) else proxy


def routes_from(config: FetchConfig) -> Routes:
    """Return the routes that the options name.

    Raises:
        UsageError: one of them has a value that names no proxy.
    """
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
        if name := next((name for name in (scheme, "all") if found.get(name)), None):
            text = found[name] if "://" in found[name] else f"http://{found[name]}"
            proxies[scheme] = proxy_from(text, f"{name}_proxy")
    return Routes(proxies, exemptions(found.get("no", "")))
