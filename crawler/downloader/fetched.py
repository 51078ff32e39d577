"""What the library gives back for one URL.

Rules
- Content is decoded: content codings are gone. Text is read as a crawl reads it, and never fails to be read.
- An answer of `Fetcher.stream` may carry an error instead; then its status is 0 and its content empty.
Runs on: anywhere.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from crawler.core.errors import CrawlerError, FetchError
from crawler.core.messages import Timing
from crawler.core.reasons import Reason
from crawler.encoding import decode, detect

_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One answer.

    Attributes:
        requested: the URL as it was given.
        url: the URL that answered, after all redirects; where it is unknown, as given.
        headers: by case-insensitive name; `getall` gives each value of a repeated one.
        history: the URLs that redirected on the way, first to last.
        error: why there is no answer; None = there is one.
    """

    requested: str
    url: str
    status: int = 0
    headers: CIMultiDictProxy[str] = field(default_factory=lambda: _NO_HEADERS)
    content: bytes = b""
    history: tuple[str, ...] = ()
    timing: Timing = field(default_factory=Timing)
    error: CrawlerError | None = None

    @property
    def ok(self) -> bool:
        """True for a status below 400."""
        return 0 < self.status < 400

    @property
    def text(self) -> str:
        """The content as text; what cannot be read becomes U+FFFD.

        Its encoding is that of a byte order mark, else of Content-Type, else what HTML or XML declares inside; else
        UTF-8 if the bytes are valid so, and windows-1252 if not.
        """
        content_type = ", ".join(self.headers.getall("Content-Type", ()))
        return decode.text(self.content, detect.of_response(content_type, self.content))

    def json(self) -> Any:
        """The content as JSON.

        Raises:
            ValueError: it is not.
        """
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        """Nothing for an answer below 400.

        Raises:
            CrawlerError: the error, or FetchError(HTTP_STATUS) for a status of 400 or more.
        """
        if self.error:
            raise self.error
        if not self.ok:
            raise FetchError(Reason.HTTP_STATUS, f"{self.url} answered {self.status}")
