"""Following redirects: the next request after a response that redirects.

Rules
- 301 and 302 turn POST into GET, 303 turns everything but HEAD into GET; 307 and 308 repeat the request
  (Fetch standard, 4.4).
- Within an origin a request keeps its headers. The first hop to another origin (scheme, host or port) drops all but an
  allowlist; a hop back does not restore them. An upgrade from http to https is such a hop too, as for curl
  (CVE-2022-27774); requests lets it pass between standard ports.
- A body is never sent to another origin, and one that can be read only once is not sent again.
- The target is named only as long as every hop stayed on the origin that the user named.
Runs on: anywhere (pure).
"""

from msgspec.structs import replace

from crawler.core.discovery import Way
from crawler.core.errors import FetchError, UrlError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.http.redirects import target

HARMLESS = frozenset({"user-agent", "accept", "accept-language", "accept-encoding", "accept-charset", "range"})
_OF_BODY = frozenset({"content-type", "content-encoding", "content-language", "content-location"})


def redirected(response: Response) -> Request | None:
    """Return the request that a redirect asks for; None = the response is no redirect.

    Raises:
        FetchError: BAD_REDIRECT, when the target is no URL that can be fetched, another origin would get the body, or
            the body cannot be sent again.
    """
    try:
        url = target(response)
    except UrlError as error:
        raise FetchError(Reason.BAD_REDIRECT, f"it redirects to a URL that cannot be fetched: {error}") from error
    if url is None:
        return None
    request = response.request
    way = Way(hops=request.way.hops + 1)
    hop = replace(_with_method_of(request, response.status), url=url, way=way, referrer=request.url.href)
    is_foreign = url.origin != request.url.origin
    if is_foreign and not (hop.body is None and hop.source is None):
        message = f"it redirects the body to {url.origin}: a body is never sent to another origin"
        raise FetchError(Reason.BAD_REDIRECT, message)
    if hop.source is not None and not hop.source.is_repeatable:
        message = "it redirects a body that can be read only once: give bytes, a pathlib.Path or a list"
        raise FetchError(Reason.BAD_REDIRECT, message)
    if not is_foreign:
        return hop
    headers = tuple(header for header in hop.headers if header[0].lower() in HARMLESS)
    return replace(hop, headers=headers, named=False)


def _with_method_of(request: Request, status: int) -> Request:
    becomes_get = (status == 303 and request.method != "HEAD") or (status in {301, 302} and request.method == "POST")
    if not becomes_get:
        return request
    headers = tuple(header for header in request.headers if header[0].lower() not in _OF_BODY)
    return replace(request, method="GET", body=None, source=None, headers=headers)
