"""HTTP/1.1 answers out of a stream of bytes: where a head ends, what it says, and how far its body goes.

Rules
- The result depends on the bytes alone: whole, byte by byte or split anywhere, an answer reads the same.
- An answer is complete when its framing says so (RFC 9112, 6.3). Bytes behind it are surplus and belong to no request;
  line ends alone are none.
- Lenient where browsers and curl are: lines that end with LF alone, folded lines, lines that are no header (left out),
  white space before a colon or around a chunk's size, several equal lengths, a length beside chunks (chunks win).
- What contradicts itself or was read leniently ends its connection, so that another reading of the same bytes, by a
  proxy say, harms no other request (RFC 9112, 6.1 and 11.2).
- Bounded: the heads of an answer have 256 KiB together, 256 headers and 32 KiB per line; a chunk's line has 16 KiB,
  and the trailers, which are ignored, 64 KiB.
Strategy: one pattern reads a head as servers write it; only what it does not match is looked at line by line.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason

HEAD_END = b"\r\n\r\n"
MAX_HEAD = 256 * 1024
MAX_LINE = 32 * 1024
MAX_HEADERS = 256
MAX_INTERIM = 10
MAX_CHUNK_LINE = 16 * 1024
MAX_TRAILERS = 64 * 1024

Headers = tuple[tuple[bytes, bytes], ...]


class Head(NamedTuple):
    """What the head of an answer says.

    Attributes:
        version: "1.0" or "1.1"; a later 1.x is read as 1.1 (RFC 9110, 2.5).
        phrase: the reason phrase, as latin-1 text.
        headers: name and value as received, in order, without white space around them.
        length: bytes of the body, as far as the head alone tells; None = it does not.
        is_chunked: the body comes in chunks.
        codings: transfer codings to take off besides, in the order in which they were applied.
        keep_alive: the connection can carry another request after this answer.
    """

    version: str
    status: int
    phrase: str
    headers: Headers
    length: int | None
    is_chunked: bool
    codings: tuple[str, ...]
    keep_alive: bool


_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_USUAL = re.compile(
    rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([^\r\n\0]*+))?\r\n((?:" + _TOKEN + rb"++:[^\r\n\0]*+\r\n)*+)\r\n"
)
_STATUS = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9]{2})(?:[ \t]+(.*))?", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(_TOKEN + rb"+")
_FOLD = re.compile(rb"\r*\n[ \t]+")
_PACKINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}  # RFC 9112, 7.2; what is none takes nothing off
_FRAMING = {len(name): name for name in (b"content-length", b"transfer-encoding", b"connection")}


def read_head(raw: bytes) -> Head:
    """Read the head of one answer, its empty last line included.

    Raises:
        FetchError: PROTOCOL_ERROR or HEADER_LIMIT.
    """
    usual = _USUAL.fullmatch(raw)
    if usual is None:
        return _read_unusual(raw)
    minor, status, phrase, block = usual.groups()
    lines = block.split(b"\r\n")
    lines.pop()
    pairs = [line.partition(b":") for line in lines]
    headers = tuple([(name, value.strip(b" \t")) for name, _, value in pairs])
    _check_size(raw, lines)
    return _head(minor, status, phrase or b"", headers, is_strict=True)


def _read_unusual(raw: bytes) -> Head:
    """A head that is not as the standard has it, line by line; lines that are no header are left out."""
    if b"\0" in raw:
        raise FetchError(Reason.PROTOCOL_ERROR, "the answer's head holds a zero byte")
    lines = [line.rstrip(b"\r").replace(b"\r", b" ") for line in _FOLD.sub(b" ", raw).split(b"\n")]
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        raise FetchError(Reason.PROTOCOL_ERROR, f"no HTTP/1.1 answer, but {raw[:40]!r}")
    _check_size(raw, lines[1:-2])
    headers: list[tuple[bytes, bytes]] = []
    is_strict = b"\r" not in raw.replace(b"\r\n", b"\n")
    for line in lines[1:-2]:
        name, colon, value = line.partition(b":")
        if colon and _NAME.fullmatch(token := name.rstrip(b" \t")):
            headers.append((token, value.strip(b" \t")))
        is_strict = is_strict and bool(colon) and _NAME.fullmatch(name) is not None
    return _head(status[1], status[2], status[3] or b"", tuple(headers), is_strict=is_strict)


def _check_size(raw: bytes, lines: list[bytes]) -> None:
    if len(lines) > MAX_HEADERS:
        raise FetchError(Reason.HEADER_LIMIT, f"the response has more than {MAX_HEADERS} headers")
    if len(raw) > MAX_LINE and max(map(len, raw.split(b"\n"))) > MAX_LINE:
        raise FetchError(Reason.HEADER_LIMIT, f"a line of the response's head has more than {MAX_LINE // 1024} KiB")


def _head(minor: bytes, status: bytes, phrase: bytes, headers: Headers, *, is_strict: bool) -> Head:
    """The head with its framing worked out (RFC 9112, 6)."""
    lengths: list[bytes] = []
    codings: list[bytes] = []
    options: list[bytes] = []
    for name, value in headers:
        if (known := _FRAMING.get(len(name))) and name.lower() == known:
            (lengths if known == b"content-length" else options if known == b"connection" else codings).append(value)
    is_old = minor == b"0"
    wishes = _tokens(options) if options else ()
    keep_alive = is_strict and ("keep-alive" in wishes if is_old else "close" not in wishes)
    length = _length(lengths) if lengths else None
    if codings:
        removed = _tokens(codings)
        is_chunked = removed[-1:] == ("chunked",)
        others = tuple(_PACKINGS[name] for name in removed if name in _PACKINGS)
        if "chunked" in removed and not is_chunked:
            raise FetchError(Reason.PROTOCOL_ERROR, "its body is in chunks, and packed once more around them")
        keep_alive = keep_alive and not lengths and not is_old and removed.count("chunked") == 1
        return Head(_version(is_old), int(status), _text(phrase), headers, None, is_chunked, others, keep_alive)
    keep_alive = keep_alive and len(lengths) < 2 and (length is not None or not lengths)
    return Head(_version(is_old), int(status), _text(phrase), headers, length, bool(codings), (), keep_alive)


def _version(is_old: bool) -> str:  # noqa: FBT001 - of two versions there is nothing else to say
    return "1.0" if is_old else "1.1"


def _text(phrase: bytes) -> str:
    return phrase.decode("latin-1").strip()


def _tokens(values: list[bytes]) -> tuple[str, ...]:
    """The members of a list header in lower case, without parameters and without `identity`, which is no coding."""
    members = (member.partition(b";")[0].strip(b" \t").lower() for member in b",".join(values).split(b","))
    return tuple(member.decode("latin-1") for member in members if member not in {b"", b"identity"})


def _length(values: list[bytes]) -> int | None:
    """The one length that all values tell (RFC 9112, 6.3, rule 5); None = they are empty."""
    told = {member.strip(b" \t") for member in b",".join(values).split(b",")} - {b""}
    if not told:
        return None
    value = told.pop()
    if told or not (value.isascii() and value.isdigit()) or len(value := value.lstrip(b"0") or b"0") > 19:
        raise FetchError(Reason.PROTOCOL_ERROR, "its Content-Length is no number, or several different ones")
    if (length := int(value)) >= 2**63:
        raise FetchError(Reason.PROTOCOL_ERROR, "its Content-Length is no length: 2^63 or more")
    return length


class _Stage(IntEnum):
    """What the next bytes are."""

    HEAD = 0
    LENGTH = 1
    UNTIL_END = 2
    CHUNK_SIZE = 3
    CHUNK = 4
    CHUNK_END = 5
    TRAILERS = 6
    SURPLUS = 7


_HEAD, _LENGTH, _UNTIL_END, _CHUNK_SIZE, _CHUNK, _CHUNK_END, _TRAILERS, _SURPLUS = _Stage  # a global is read quicker
_START = b"HTTP/"
_BLANK = b"\r\n"
_NO_BODY = frozenset({204, 304})
_RESET_CONTENT = 205  # has no body (RFC 9110, 15.3.6), though one that is announced has to be read over
_USUAL_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_SIZE = re.compile(rb"[ \t]*+0*+([0-9A-Fa-f]{1,15}|(?<=0))[ \t]*+(?:;.*)?", re.DOTALL)


def is_blank(data: bytes) -> bool:
    """Whether these are line ends at most."""
    return not data.strip(_BLANK)


def _drop(_piece: bytes) -> None:
    pass


class ResponseReader:
    """Reads one answer: `feed` what comes until `is_done`, and `finish` when the connection ends.

    Args:
        take: is given each piece of the body, without chunk framing; by default nobody wants it.
        bodiless: the request was HEAD, whose answers have no body whatever their head says.

    Attributes:
        head: of the final answer; None = it is not complete.
        is_done: the answer is complete.
        keep_alive: the connection can carry another request.
        surplus: more came than the answer; the connection is of no further use.
        is_plain: nothing but its head and the length that this tells was read, as the standard has it.
    """

    __slots__ = (
        *("_bodiless", "_interims", "_latest", "_latest_head", "_left", "_raw", "_spent", "_stage", "_take"),
        *("head", "is_done", "is_plain", "keep_alive", "surplus"),
    )

    def __init__(self, take: Callable[[bytes], object] = _drop, *, bodiless: bool = False) -> None:
        self._take = take
        self._bodiless = bodiless
        self._latest = b""  # the latest head: a server often says the same again
        self.begin()

    def begin(self) -> None:
        """Take the next bytes for those of a new answer."""
        self._stage: int = _HEAD
        self._raw = b""  # an incomplete head, or an incomplete line between chunks
        self._left = 0  # bytes of the body, or of the chunk, that are still to come
        self._spent = 0  # bytes of heads, later of trailers
        self._interims = 0
        self.head: Head | None = None
        self.is_done = self.is_plain = self.keep_alive = self.surplus = False

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            FetchError: this is no answer; the connection is of no further use.
        """
        while data and self._stage == _HEAD:
            data = self._feed_head(data)
        if not data:
            return
        if self._stage == _LENGTH:
            self._feed_length(data)
        elif self._stage == _UNTIL_END:
            self._take(data)
        elif self._stage == _SURPLUS:
            self.surplus = self.surplus or not is_blank(data)
        else:
            self._feed_chunks(data)

    def finish(self) -> None:
        """The server closed its side of the connection.

        Raises:
            FetchError: in the middle of an answer, or before there was any.
        """
        self.keep_alive = False
        if self.is_done:
            return
        if self._stage == _HEAD and not (self._raw or self._interims):
            raise FetchError(Reason.CONNECTION_LOST, "the server closed the connection without an answer")
        if self._stage not in {_UNTIL_END, _TRAILERS}:  # behind the last chunk nothing is missing (RFC 9112, 8)
            raise FetchError(Reason.TRUNCATED, "the server closed the connection in the middle of its answer")
        self._end(b"")

    def _feed_head(self, data: bytes) -> bytes:
        """Read up to the end of the head; gives back what lies behind it."""
        known = len(self._raw)
        raw = self._raw + data if known else data.lstrip(_BLANK)
        if raw[: len(_START)].upper() != _START[: len(raw)]:
            raise FetchError(Reason.PROTOCOL_ERROR, f"no HTTP/1.1 answer, but {raw[:40]!r}")
        end = _head_end(raw, max(0, known - 2))
        if self._spent + (end if end >= 0 else len(raw)) > MAX_HEAD:
            raise FetchError(Reason.HEADER_LIMIT, f"the response's head has more than {MAX_HEAD // 1024} KiB")
        if end < 0:
            self._raw = raw
            return b""
        self._raw = b""
        if (whole := raw[:end]) != self._latest:
            self._latest, self._latest_head = whole, read_head(whole)
        self._begin_body(self._latest_head, is_usual=raw.endswith(HEAD_END, 0, end))
        self._spent += end
        return raw[end:]

    def _begin_body(self, head: Head, *, is_usual: bool) -> None:
        """Decide what follows the head (RFC 9112, 6.3)."""
        if head.status < 200:
            self._interims += 1
            if head.status == 101:
                raise FetchError(Reason.PROTOCOL_ERROR, "the server switched to a protocol that nobody asked for")
            if self._interims > MAX_INTERIM:
                raise FetchError(Reason.PROTOCOL_ERROR, f"the server sent more than {MAX_INTERIM} interim responses")
            return
        self.head = head
        self.keep_alive = head.keep_alive
        self._spent = 0
        self.is_plain = is_usual and not (self._interims or head.is_chunked)
        if self._bodiless or head.status in _NO_BODY:
            self._end(b"")
        elif head.is_chunked:
            self._stage = _CHUNK_SIZE
        elif head.length is None and head.status != _RESET_CONTENT:
            self._stage = _UNTIL_END
            self.keep_alive = self.is_plain = False
        elif head.length:
            self._stage, self._left = _LENGTH, head.length
        else:
            self._end(b"")

    def _feed_length(self, data: bytes) -> None:
        left = self._left
        if len(data) < left:
            self._left = left - len(data)
            self._take(data)
        elif len(data) == left:
            self._take(data)
            self._end(b"")
        else:
            self._take(data[:left])
            self._end(data[left:])

    def _feed_chunks(self, data: bytes) -> None:
        at, size = 0, len(data)
        while at < size:
            if self._stage == _CHUNK:
                at = self._feed_chunk(data, at)
            elif self._stage == _CHUNK_SIZE and not self._raw and (usual := _USUAL_SIZE.match(data, at)):
                at = usual.end()
                self._begin_chunk(usual[1])
            else:
                at = self._feed_line(data, at)

    def _feed_chunk(self, data: bytes, at: int) -> int:
        """Take what there is of a chunk; gives back where the rest begins."""
        piece = data[at : at + self._left]
        at += len(piece)
        self._left -= len(piece)
        self._take(piece)
        if self._left:
            return at
        is_usual = data.startswith(b"\r\n", at)
        self._stage = _CHUNK_SIZE if is_usual else _CHUNK_END
        return at + 2 if is_usual else at

    def _begin_chunk(self, digits: bytes) -> None:
        self._left = int(digits, 16)
        self._stage = _CHUNK if self._left else _TRAILERS

    def _feed_line(self, data: bytes, at: int) -> int:
        """Read on in a line between chunks; gives back where the rest begins."""
        end = data.find(b"\n", at)
        line = self._raw + data[at : end if end >= 0 else None]
        self._check_line(line)
        if end < 0:
            self._raw = line
            return len(data)
        self._raw = b""
        self._read_line(line.removesuffix(b"\r"))
        if not self.is_done:
            return end + 1
        self.surplus = not is_blank(data[end + 1 :])
        return len(data)

    def _check_line(self, line: bytes) -> None:
        """Refuse a line, complete or not, that can be no line between chunks."""
        if self._stage == _CHUNK_END and line not in {b"", b"\r"}:
            raise FetchError(Reason.PROTOCOL_ERROR, "a chunk of its body is longer than it says")
        if len(line) > MAX_CHUNK_LINE:
            raise FetchError(Reason.HEADER_LIMIT, f"a line between chunks has more than {MAX_CHUNK_LINE // 1024} KiB")

    def _read_line(self, line: bytes) -> None:
        if self._stage == _CHUNK_END:
            self._stage = _CHUNK_SIZE
        elif self._stage == _TRAILERS:
            self._spent += len(line)
            if self._spent > MAX_TRAILERS:
                raise FetchError(Reason.HEADER_LIMIT, f"its trailers have more than {MAX_TRAILERS // 1024} KiB")
            if not line:
                self._end(b"")
        elif size := _SIZE.fullmatch(line):
            self._begin_chunk(size[1] or b"0")
        else:
            raise FetchError(Reason.PROTOCOL_ERROR, f"no size of a chunk, but {line[:40]!r}")

    def _end(self, rest: bytes) -> None:
        """The answer is complete; `rest` came behind it."""
        self._stage = _SURPLUS
        self.is_done = True
        self.surplus = not is_blank(rest)


def _head_end(raw: bytes, start: int) -> int:
    """Where the first empty line ends, lines ending with CRLF or LF; -1 = not within these bytes."""
    usual = raw.find(b"\n\r\n", start)
    bare = raw.find(b"\n\n", start, usual + 1 if usual >= 0 else len(raw))
    return bare + 2 if bare >= 0 else usual + 3 if usual >= 0 else -1
