"""The proxy: its URL and credentials, parsed from `--proxy`.

Rules
- Only an explicit option names a proxy; HTTP_PROXY and other variables are ignored.
- The password goes to the proxy alone and into no message.
Runs on: anywhere (pure).
"""

import msgspec

from crawler.core import urls
from crawler.core.errors import UrlError, UsageError
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.http.authorization import basic


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP proxy.

    Attributes:
        headers: those for the proxy itself, which hold its credentials if it has any.
    """

    url: Url
    headers: tuple[tuple[str, str], ...]


def proxy_from(text: str | None) -> Proxy | None:
    """Return the proxy that an option's text names.

    Raises:
        UsageError: the text is not an http:// URL.
    """
    if text is None:
        return None
    try:
        url = urls.parse(text)
    except UrlError as error:
        is_headless = error.reason is Reason.RELATIVE_URL
        what = "write http:// in front, as in http://localhost:3128" if is_headless else str(error)
        raise UsageError(f"--proxy: {what}") from error
    if url.scheme != "http":
        raise UsageError(f"--proxy: {url.scheme}:// proxies are not supported: give an http:// URL")
    user = urls.credentials(text)
    return Proxy(url=url, headers=(("Proxy-Authorization", basic(*user)),) if user else ())
