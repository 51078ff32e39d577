"""The head of an HTTP/1.1 answer: status, headers, and how far it says that its body goes (RFC 9112, 2 to 6).

Rules
- Lenient where browsers and curl are: lines that end with LF alone, folded lines, lines that are no header (left out),
  white space before a colon, several equal lengths, a length beside chunks (chunks win).
- A head that contradicts itself or was read leniently ends its connection, so that another reading of the same bytes,
  by a proxy say, harms no other request (RFC 9112, 6.1 and 11.2).
- A head has at most 256 headers and 32 KiB per line.
Strategy: one pattern reads a head as servers write it; only what it does not match is looked at line by line.
Runs on: anywhere (pure).
"""

import re
from typing import NamedTuple

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason

MAX_LINE = 32 * 1024
MAX_HEADERS = 256

Headers = tuple[tuple[bytes, bytes], ...]


class Head(NamedTuple):
    """The head of an answer.

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
