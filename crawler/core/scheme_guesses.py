"""URLs whose scheme was left open: https is asked, and http if no server answers there.

Rules
- A line without a scheme is a guess. Another find of the same https URL with its scheme (a link, a redirect, another
  line) makes it a URL like any other, which is tried as often. Once those tries have failed, http is asked, too.
- A server does not answer if there is no connection, no TLS or not one byte: the first such failure decides. A name
  that does not exist has no http either, and an untrusted certificate is an answer.
- An https origin that answers is never asked over http.
Runs on: anywhere (pure).
"""

from crawler.core.discovery import Way
from crawler.core.finds import Find, Guess
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import parse

NO_ANSWER = frozenset(
    {
        *(Reason.CONNECT_REFUSED, Reason.CONNECT_TIMEOUT, Reason.CONNECT_FAILED),
        *(Reason.TLS_FAILED, Reason.CONNECTION_LOST, Reason.FIRST_BYTE_TIMEOUT),
    }
)


def both(one: int, other: int) -> int:
    """Return the `Guess` of a URL from those of two finds."""
    return one if one == other else Guess.BOTH


def is_settled(request: Request, failure: Reason) -> bool:
    """Return whether this failure of a guess decides that http is asked instead."""
    return request.guess == Guess.GUESSED and failure in NO_ANSWER


def over_http(request: Request, failure: Reason) -> tuple[Find, ...]:
    """Return the find over http that follows a last failure over https: none, if the scheme was written."""
    if request.guess == Guess.WRITTEN or failure not in NO_ANSWER:
        return ()
    url = parse(f"http{request.url.href.removeprefix('https')}")
    return (Find(url=url, way=Way(seed=request.way.seed, sitemap=request.way.sitemap), named=True),)
