"""What the library gives back for one URL.

Rules
- Content is decoded: content codings are gone. Text is read as the server says, and never fails to be read.
- An answer of `Fetcher.stream` may carry an error instead; then its status is 0 and its content empty.
Runs on: anywhere.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from crawler.core.errors import CrawlerError, FetchError
from crawler.core.media_types import media_type
from crawler.core.models import Timing
from crawler.core.reasons import Reason

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
        """The content as text, in the charset of Content-Type or UTF-8; what cannot be read becomes U+FFFD."""
        charset = media_type(", ".join(self.headers.getall("Content-Type", ())))[1] or "utf-8"
        try:
            return self.content.decode(charset, errors="replace")
        except (LookupError, ValueError):
            return self.content.decode(errors="replace")

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
