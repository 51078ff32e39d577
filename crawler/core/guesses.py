"""URLs whose scheme was left open: https is asked, and http if no server answers there.

Rules
- A line without a scheme is a guess. What names the same https URL with its scheme (a link, a redirect, another line)
  makes it a URL like any other, which is tried as often; http is asked all the same once those tries have failed.
- No server answers where no connection or no TLS comes about, or not one byte: the first such failure decides. A name
  that does not exist has no http either, and a certificate that is not trusted is an answer.
- An https origin that answers is never asked over http.
Runs on: anywhere (pure).
"""

from crawler.core.finds import Find, Guess
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.core.ways import Way

NO_ANSWER = frozenset(
    {
        *(Reason.CONNECT_REFUSED, Reason.CONNECT_TIMEOUT, Reason.CONNECT_FAILED),
        *(Reason.TLS_FAILED, Reason.CONNECTION_LOST, Reason.FIRST_BYTE_TIMEOUT),
    }
)


def both(one: int, other: int) -> int:
    """Join what two finds of a URL say of its scheme."""
    return one if one == other else Guess.BOTH


def is_settled(request: Request, failure: Reason) -> bool:
    """Say whether this failure of a guess decides that http is asked instead."""
    return request.guess == Guess.GUESSED and failure in NO_ANSWER


def over_http(request: Request, failure: Reason) -> tuple[Find, ...]:
    """Name the URL that is asked for after a last failure over https: none, if its scheme was written."""
    if request.guess == Guess.WRITTEN or failure not in NO_ANSWER:
        return ()
    url = parse(f"http{request.url.href.removeprefix('https')}")
    return (Find(url=url, way=Way(seed=request.way.seed, sitemap=request.way.sitemap), named=True),)
