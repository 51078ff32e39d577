"""The responses that redirect, and their targets (Fetch standard, "location URL"; RFC 9110, 15.4).

Rules
- A redirect has a redirect status and a Location that is not empty. Any other 3xx is an answer like others, with a page
  of its own.
- Bytes stay bytes: a Location that is not UTF-8 names its octets, each percent-encoded as it is.
Runs on: anywhere (pure).
"""

from crawler.core.messages import HeaderFields, Request, Response
from crawler.core.text import from_octets
from crawler.core.urls import Url, parse

STATUSES = frozenset({301, 302, 303, 307, 308})


def is_redirect(response: Response) -> bool:
    """Return whether a response leads elsewhere, and so is no page: its body is not read."""
    return response.status in STATUSES and any(response.header_values("location"))


def is_head_enough(request: Request, status: int, headers: HeaderFields) -> bool:
    """Return whether only the head of an answer is of use: it leads elsewhere, or fails where a failure says all."""
    is_redirect = status in STATUSES and any(headers.named(b"location"))
    return is_redirect or (request.success_only and not 200 <= status < 300)


def target(response: Response) -> Url | None:
    """Return the URL that a response redirects to; None = it does not.

    Raises:
        UrlError: its Location is no URL that can be fetched.
    """
    if response.status not in STATUSES:
        return None
    location = next((value for value in response.header_values("location") if value), None)
    if location is None:
        return None
    return parse(from_octets(location.encode("latin-1")), response.request.url)
