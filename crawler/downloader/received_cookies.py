"""The cookie jars of a `Fetcher`: cookies that servers set, kept apart by origin.

Rules
- A cookie comes back to the origin that set it, and to no other. RFC 6265, 8.5, lets a host's ports share cookies, and
  Domain its neighbours; here neither happens, so no list of public suffixes is needed to see through `Domain=co.uk`.
- Within an origin aiohttp's jar decides: path, expiry, Secure, how many and how long.
- Past `ORIGINS_REMEMBERED` origins, the one that was first to set a cookie is forgotten.
Runs on: the event loop.
"""

from aiohttp import CookieJar
from yarl import URL

from crawler.core.messages import Response
from crawler.core.urls import Url

ORIGINS_REMEMBERED = 4096


class ReceivedCookies:
    """A jar for each origin that has set a cookie."""

    def __init__(self) -> None:
        self._jars: dict[str, CookieJar] = {}

    def __repr__(self) -> str:
        return f"<ReceivedCookies {len(self._jars)}>"

    def take(self, response: Response) -> None:
        """Keep the cookies that a response sets."""
        received = [value.decode("latin-1") for name, value in response.headers if name.lower() == b"set-cookie"]
        if received:
            url = response.request.url
            jar = self._jars.setdefault(url.origin, CookieJar(unsafe=True))  # "unsafe" = addresses may set cookies too
            jar.update_cookies_from_headers(received, _yarl(url))
            if len(self._jars) > ORIGINS_REMEMBERED:
                del self._jars[next(iter(self._jars))]

    def cookies_for(self, url: Url) -> dict[str, str]:
        """Return names and values to send with a request for `url`."""
        jar = self._jars.get(url.origin)
        return {name: morsel.coded_value for name, morsel in jar.filter_cookies(_yarl(url)).items()} if jar else {}


def _yarl(url: Url) -> URL:
    return URL(url.href, encoded=True)
