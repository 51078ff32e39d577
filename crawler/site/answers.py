"""The answer of one address, known before the first request.

Runs on: anywhere (pure).
"""

import hashlib
from dataclasses import dataclass

from crawler.site.graph import PageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The answer of a page to its first requests, before it recovers.

    Attributes:
        times: the number of requests that get this answer.
        retry_after: seconds in the Retry-After header; None = no such header.
    """

    times: int
    status: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTruth:
    """All facts about one address of a site.

    Attributes:
        path: the request target, as it goes over the wire.
        body: the bytes as they are sent, in their content coding.
        decoded: the bytes without the content coding.
        links: the targets of the links, each once, in order: paths of this host, URLs of others, no fragments.
        redirect_to: the path in the Location header.
        delay: seconds before the answer.
        charset: the encoding of the text, a label of the Encoding Standard; None = it is no text.
        coding: the content coding; a client that does not accept it gets `decoded` instead.
        trouble: the answer to the first requests; later ones get `status` and the rest.
    """

    path: str
    kind: PageKind
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    decoded: bytes = b""
    links: tuple[str, ...] = ()
    redirect_to: str | None = None
    delay: float = 0.0
    title: str | None = None
    charset: str | None = None
    coding: str | None = None
    trouble: Trouble | None = None

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the decoded bytes, in hexadecimal."""
        return hashlib.sha256(self.decoded).hexdigest()
