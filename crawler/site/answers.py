"""What one address answers, known before anybody asks.

Runs on: anywhere (pure).
"""

import hashlib
from dataclasses import dataclass

from crawler.site.graph import PageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a page answers to its first requests, before it is well.

    Attributes:
        times: how many requests it turns away.
        retry_after: seconds in the Retry-After header; None = there is no such header.
    """

    times: int
    status: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTruth:
    """Everything about one address of a site.

    Attributes:
        path: the target of the request, as it goes over the wire.
        body: the bytes as they are sent, in their content coding.
        decoded: the bytes after the content coding is removed.
        links: what the document links to, each once, in order: paths of this host, URLs of others, no fragments.
        redirect_to: the path in the Location header.
        delay: seconds before the answer.
        charset: what the text is written in, a label of the Encoding Standard; None = it is no text.
        coding: the content coding; a client that does not accept it is sent `decoded` instead.
        trouble: what the first requests get; `status` and the rest come after that.
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
        """The digest of the decoded bytes, in hexadecimal."""
        return hashlib.sha256(self.decoded).hexdigest()
