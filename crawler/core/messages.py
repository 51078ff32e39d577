"""A request to the fetcher, and its response.

Rules
- Facts are frozen: a changed fact is a new one.
- Durations are seconds and moments are wall-clock seconds since 1970 (UTC), unless a name says otherwise.
Runs on: anywhere (pure).
"""

import re
from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from crawler.core.discovery import START, Way
from crawler.core.finds import Guess
from crawler.core.urls import Url

_RANGE = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)

_BLANK = b" \t\r\n"  # RFC 9110, 5.6.3; 0x85 and 0xA0 are blank to a text, and halves of letters in UTF-8


class BodySource(Protocol):
    """The body of a request that is sent piece by piece."""

    @property
    def length(self) -> int | None:
        """Return its bytes; None = their number is unknown, so the body is sent chunked."""
        ...

    @property
    def is_repeatable(self) -> bool:
        """Return whether it can be sent again, from its beginning."""
        ...

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the pieces from the beginning, `length` bytes in all; closing it frees what it has opened."""
        ...


class RequestTimeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The timeouts of one request, in seconds; None = the fetcher's.

    Attributes:
        total: for all of it; math.inf = it has none.
        connect, first_byte, idle: see `downloader.timing.Timeouts`.
    """

    total: float | None = None
    connect: float | None = None
    first_byte: float | None = None
    idle: float | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request.

    Attributes:
        id: the URL's row in the frontier; 0 outside a run.
        way: how the URL was reached.
        attempts: tries made before this one.
        named: the user named this host and port, so its own loopback or private address may be dialled.
        alone: the process died while it was in flight, so no other request may be in flight beside it.
        guess: whether its scheme was written, a value of `Guess`.
        headers: sent in this order, besides those that the fetcher adds.
        body, source: its body, at hand or in pieces; None = it has none.
        most: body bytes of the answer to read at the most; None = the fetcher's limit.
        timeouts: None = the fetcher's.
        success_only: of an answer outside 2xx only the head is used, so the fetcher does not wait for its body.
    """

    url: Url
    id: int = 0
    way: Way = START
    attempts: int = 0
    referrer: str | None = None
    named: bool = False
    alone: bool = False
    guess: int = Guess.WRITTEN
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    source: BodySource | None = None
    most: int | None = None
    timeouts: RequestTimeouts | None = None
    success_only: bool = False

    @property
    def is_trusted(self) -> bool:
        """Return whether the user's headers, credentials and certificate may go with it: no other origin led here."""
        return self.named and not self.way.foreign


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The duration of each phase of one fetch, in seconds; None = the phase did not happen.

    Attributes:
        dns, connect, tls: only when a new connection was opened.
        first_byte: from the request sent (or the connection taken) to the response's head.
        body: from the head to the last byte.
        total: from dispatch to the last byte.
    """

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    body: float | None = None
    total: float | None = None


class HeaderFields(tuple[tuple[bytes, bytes], ...]):  # noqa: SLOT001 - a tuple can have no slots
    """The header fields of a message: pairs of name and value in order, which are found by their names, too."""

    _index: dict[bytes, tuple[bytes, ...]] | None = None  # by name in lower case; made when it is first needed

    def named(self, name: bytes) -> tuple[bytes, ...]:
        """Return the values of this name, which is in lower case, in order."""
        index = self._index
        if index is None:
            index = {key.lower(): (value,) for key, value in self}
            if len(index) < len(self):  # a name has several values
                index = dict.fromkeys(index, ())
                for key, value in self:
                    index[key.lower()] += (value,)
            self._index = index
        return index.get(name, ())


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one request: raw bytes, with transfer framing removed and content codings kept.

    Attributes:
        headers: name and value as received, in order; names keep their case.
        transfer_codings: codings on the body besides its content codings, in the order in which they were applied.
        body: at most the body limit.
        cut: True when the body was longer than the limit and was cut there.
        peer: address and port that answered; None through a proxy or from a fake.
    """

    request: Request
    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    transfer_codings: tuple[str, ...] = ()
    reason_phrase: str = ""
    http_version: str = "1.1"
    cut: bool = False
    peer: str | None = None
    timing: Timing = Timing()

    def header(self, name: str) -> str | None:
        """Return the first value of a header by case-insensitive name (RFC 9110, 5.1), as latin-1; None = absent."""
        return next(iter(self.header_values(name)), None)

    @property
    def is_part(self) -> bool:
        """Return True when a 206 says that it is partial (RFC 9110, 14.4); some servers send the whole with it."""
        told = self.header("content-range") if self.status == 206 else None
        whole = _RANGE.fullmatch(told or "")
        return told is not None and (whole is None or int(whole[1]) + 1 != int(whole[2]))

    @property
    def codings(self) -> str:
        """Return all codings that are on the body, as a Content-Encoding would list them; empty = none."""
        listed = self.header_list("content-encoding")
        return ",".join((listed, *self.transfer_codings)) if self.transfer_codings else listed

    def header_list(self, name: str) -> str:
        """Return all values of a header that is a list, joined as one (RFC 9110, 5.3); empty = absent."""
        return ",".join(self.header_values(name))

    def raw_values(self, name: bytes) -> tuple[bytes, ...]:
        """Return each value of a header by its name in lower case, as received, in order."""
        headers = self.headers if isinstance(self.headers, HeaderFields) else HeaderFields(self.headers)
        return headers.named(name)

    def header_values(self, name: str) -> list[str]:
        """Return each value of a header, in order, without the white space of HTTP around it (RFC 9110, 5.6.3).

        Other white space of latin-1 may be the last byte of a letter in UTF-8, such as an a with grave.
        """
        values = self.raw_values(name.lower().encode("latin-1"))
        return [value.strip(_BLANK).decode("latin-1") for value in values] if values else []
