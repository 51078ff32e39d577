"""What the next request is when a response redirects.

Rules
- 301 and 302 turn POST into GET, 303 turns everything but HEAD into GET; 307 and 308 repeat the request
  (Fetch standard, 4.4).
- Within an origin a request keeps its headers. The first hop to another origin (scheme, host or port) drops all but an
  allowlist, and for good: coming back does not bring them back. A body is never sent to another origin. An upgrade
  from http to https is such a hop too, as for curl (CVE-2022-27774); requests lets it pass between standard ports.
- The target is named only as long as every hop stayed on the origin that the user named.
Runs on: anywhere (pure).
"""

from dataclasses import replace

from crawler.core.errors import FetchError, UrlError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.redirects import target
from crawler.core.ways import Way

_HARMLESS = frozenset({"user-agent", "accept", "accept-language", "accept-encoding", "accept-charset", "range"})
_OF_BODY = frozenset({"content-type", "content-encoding", "content-language", "content-location"})


def redirected(response: Response) -> Request | None:
    """The request that a redirect asks for; None = the response is no redirect.

    Raises:
        FetchError: BAD_REDIRECT, when the target is no URL that we fetch or would be sent a body of another origin's.
    """
    try:
        url = target(response)
    except UrlError as error:
        raise FetchError(Reason.BAD_REDIRECT, f"it redirects to what is not fetched: {error}") from error
    if url is None:
        return None
    request = response.request
    way = Way(hops=request.way.hops + 1)
    hop = replace(_repeated(request, response.status), url=url, way=way, referrer=request.url.href)
    return hop if url.origin == request.url.origin else _abroad(hop)


def _repeated(request: Request, status: int) -> Request:
    becomes_get = (status == 303 and request.method != "HEAD") or (status in {301, 302} and request.method == "POST")
    if not becomes_get:
        return request
    headers = tuple(header for header in request.headers if header[0].lower() not in _OF_BODY)
    return replace(request, method="GET", body=None, headers=headers)


def _abroad(hop: Request) -> Request:
    if hop.body is not None:
        raise FetchError(Reason.BAD_REDIRECT, f"it wants the body sent on to {hop.url.origin}, and that is not done")
    headers = tuple(header for header in hop.headers if header[0].lower() in _HARMLESS)
    return replace(hop, headers=headers, named=False)
