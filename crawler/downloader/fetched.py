"""The answer that the library gives for one URL.

Rules
- Content codings are removed. Text is decoded as a crawl decodes it, which never fails.
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
        url: the URL that answered, after all redirects; as given while that is unknown.
        headers: by case-insensitive name; `getall` gives each value of a repeated one.
        history: the URLs that redirected on the way, first to last.
        error: the reason why there is no answer; None = there is one.
        extra: what the request was given as `extra`.
    """

    requested: str
    url: str
    status: int = 0
    headers: CIMultiDictProxy[str] = field(default_factory=lambda: _NO_HEADERS)
    content: bytes = b""
    history: tuple[str, ...] = ()
    timing: Timing = field(default_factory=Timing)
    error: CrawlerError | None = None
    extra: Any = None

    @property
    def ok(self) -> bool:
        """Return whether the status is below 400."""
        return 0 < self.status < 400

    @property
    def text(self) -> str:
        """Return the content as text; bytes that cannot be decoded become U+FFFD.

        Its encoding is that of a byte order mark, else of Content-Type, else the one that HTML or XML declares; else
        UTF-8 if the bytes are valid so, and windows-1252 if not.
        """
        content_type = ", ".join(self.headers.getall("Content-Type", ()))
        return decode.text(self.content, detect.of_response(content_type, self.content))

    def json(self) -> Any:
        """Return the content, parsed as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        """Do nothing for an answer below 400.

        Raises:
            CrawlerError: the error, or FetchError(HTTP_STATUS) for a status of 400 or more.
        """
        if self.error:
            raise self.error
        if not self.ok:
            raise FetchError(Reason.HTTP_STATUS, f"{self.url} answered {self.status}")
