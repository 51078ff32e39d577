"""The answers that the library gives: the head of one, and one that is complete.

Rules
- Content codings are removed. Text is decoded as a crawl decodes it, which never fails.
- An answer of `Fetcher.stream` may carry an error instead; then its status is 0 and its content empty.
- An answer is a value: it can be copied and pickled, as far as its `extra` can. Its `repr` is short and shows no
  credentials of a URL.
Runs on: anywhere.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from crawler.core.errors import CrawlerError, StatusError
from crawler.core.messages import Request, Timing
from crawler.encoding import decode, detect

_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_CREDENTIALS = re.compile(r"\A(\s*+(?:[A-Za-z][A-Za-z0-9+.-]*+:)?[/\\]*+)[^/?#\\]*@")


class SentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it is sent: after redirects, not the one that was asked for.

    Attributes:
        fields: its own headers in order, without those that the Fetcher adds to every request.
        content: its body; None = it has none, or one that is sent in pieces.
        attempt: tries before this one.
        hops: redirects before it.
    """

    method: str
    url: str
    fields: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    attempt: int = 0
    hops: int = 0

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers by case-insensitive name."""
        return CIMultiDictProxy(CIMultiDict(self.fields))

    def __repr__(self) -> str:
        return f"<SentRequest {self.method} {masked(self.url)}>"


def sent(request: Request, attempt: int = 0) -> SentRequest:
    """Return a request as users see it."""
    return SentRequest(
        method=request.method,
        url=request.url.href,
        fields=request.headers,
        content=request.body,
        attempt=attempt,
        hops=request.way.hops,
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer:
    """The head of an answer.

    Attributes:
        requested: the URL as it was given.
        url: the URL that answered, after all redirects; as given while that is unknown.
        headers: by case-insensitive name; `getall` gives each value of a repeated one.
        history: the URLs that redirected on the way, first to last.
        extra: what the request was given as `extra`.
        request: the request that was answered; of an error, the one that was asked for.
    """

    requested: str
    url: str
    status: int = 0
    headers: CIMultiDictProxy[str] = field(default_factory=lambda: _NO_HEADERS)
    history: tuple[str, ...] = ()
    timing: Timing = field(default_factory=Timing)
    extra: Any = None
    request: SentRequest = field(default_factory=lambda: SentRequest(method="GET", url=""))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {masked(self.url)[:200]}>"

    def __reduce__(self) -> tuple[object, ...]:
        return as_pickled(self, type(self))

    @property
    def ok(self) -> bool:
        """Return whether the status is below 400."""
        return 0 < self.status < 400

    def raise_for_status(self) -> Self:
        """Return the answer, if its status is below 400.

        Raises:
            StatusError: it is 400 or more.
        """
        if not self.ok:
            message = f"{masked(self.url)} answered {self.status}"
            error = StatusError(message, status=self.status, answer=self, request=self.request)
            error.url = masked(self.requested)
            raise error
        return self


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Fetched(Answer):
    """One answer, with its content.

    Attributes:
        content: the body, unpacked.
        error: the reason why there is no answer; None = there is one.
    """

    content: bytes = b""
    error: CrawlerError | None = None

    def __repr__(self) -> str:
        if self.error is not None:
            reason = getattr(self.error, "reason", type(self.error).__name__)
            return f"<Fetched {reason} {masked(self.url)[:200]}>"
        return f"<Fetched {self.status} {masked(self.url)[:200]}, {len(self.content)} bytes>"

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
            CrawlerError: there is no answer; the error says why.
            ValueError: it is not JSON.
        """
        if self.error:
            raise self.error
        return json.loads(self.content)

    def raise_for_status(self) -> Self:
        """Return the answer, if there is one and its status is below 400.

        Raises:
            CrawlerError: the error, or StatusError for a status of 400 or more.
        """
        if self.error:
            raise self.error
        # Not super(): with slots the class is made twice, and that of `super()` would be the first one.
        return Answer.raise_for_status(self)


def masked(url: str) -> str:
    """Return the text of a URL without its user name and password."""
    return _CREDENTIALS.sub(r"\1", url)


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> CIMultiDictProxy[str]:
    """Return the headers of a response by their names."""
    return _by_name([(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs])


def as_pickled(value: Any, kind: type[Any]) -> tuple[object, ...]:
    """Return what the `__reduce__` of a dataclass with `headers` returns; `kind` is the class of the copy."""
    values = {part.name: getattr(value, part.name) for part in fields(kind)}
    return _rebuilt, (kind, {**values, "headers": tuple(value.headers.items())})


def _rebuilt(kind: type[Any], values: Mapping[str, Any]) -> Any:
    return kind(**{**values, "headers": _by_name(values["headers"])})


def _by_name(pairs: Iterable[tuple[str, str]]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))
