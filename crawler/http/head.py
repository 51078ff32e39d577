"""The head of an HTTP/1.1 response: status, headers, Content-Length and Transfer-Encoding (RFC 9112, 2 to 6).

Rules
- Lenient where browsers and curl are: lines that end with LF alone, folded lines, lines that are no header (left out),
  white space before a colon, a status line of HTTP/2, equal lengths, a length beside chunks (chunks win).
- A head that contradicts itself or was read leniently ends its connection, so that another reading of the same bytes,
  by a proxy say, harms no other request (request smuggling: RFC 9112, 6.1 and 11.2).
- An unknown framing is a flaw of the body: an answer without a body, or whose body is not needed, is good all the same.
Strategy: one pattern reads a head as servers write it; only a head that does not match is read line by line.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Sequence, Sized
from typing import NamedTuple

import msgspec

from crawler.core.errors import FetchError
from crawler.core.messages import HeaderFields
from crawler.core.reasons import Reason

MAX_HEADERS = 1000


class Head(msgspec.Struct, frozen=True):
    """The head of an answer.

    Attributes:
        version: "1.0" or "1.1"; any later one is read as 1.1 (RFC 9110, 2.5).
        phrase: the reason phrase, as latin-1 text.
        headers: name and value as received, in order, without white space around them.
        length: bytes of the body, by its Content-Length; None = the head has none that counts.
        is_chunked: the body comes in chunks.
        codings: transfer codings of the body besides chunked, in the order in which they were applied.
        keep_alive: the connection can carry another request after this answer.
        flaw: why the end of the body, or its coding, is unknown; None = it is framed.
    """

    version: str
    status: int
    phrase: str
    headers: HeaderFields
    length: int | None = None
    is_chunked: bool = False
    codings: tuple[str, ...] = ()
    keep_alive: bool = False
    flaw: str | None = None


_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_USUAL = re.compile(
    rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([^\r\n\0]*+))?\r\n((?:" + _TOKEN + rb"++:[^\r\n\0]*+(?<![ \t])\r\n)*+)\r\n"
)
_FIELD = re.compile(rb"([^:]++):[ \t]*+([^\r]*+)\r\n")  # of a head as it is usual
_STATUS = re.compile(
    rb"HTTP/([123](?:\.[0-9]{1,3})?)[ \t]+([1-9][0-9]{2})(?![0-9])[ \t]*(.*)", re.IGNORECASE | re.DOTALL
)
_NAME = re.compile(_TOKEN + rb"+")
_FOLD = re.compile(rb"(?<!\r)\r*+\n[ \t]++")
_PACKINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "br": "br", "zstd": "zstd"}
_NO_CODINGS = frozenset({b"", b"identity", b"none", b"binary", b"7bit", b"8bit", b"utf-8"})  # of MIME, or by mistake
_WISHES = {(): (), (b"keep-alive",): ("keep-alive",), (b"close",): ("close",)}  # the usual ones
_LONGEST = str(2**63)


def read_head(raw: bytes) -> Head:
    """Read the head of one answer, its empty last line included.

    Raises:
        FetchError: PROTOCOL_ERROR or HEADER_LIMIT.
    """
    usual = _USUAL.fullmatch(raw)
    if usual is None:
        return _read_unusual(raw)
    minor, status, phrase, block = usual.groups()
    pairs = _FIELD.findall(block)
    _check_count(pairs)
    version = "1.0" if minor == b"0" else "1.1"
    return _framed(version, int(status), _text(phrase or b""), HeaderFields(pairs), is_strict=True)


def _read_unusual(raw: bytes) -> Head:
    """Read an irregular head line by line; lines that are no header are left out."""
    if b"\0" in raw:
        raise FetchError(Reason.PROTOCOL_ERROR, "the answer's head holds a zero byte")
    lines = [line.rstrip(b"\r").replace(b"\r", b" ") for line in _FOLD.sub(b" ", raw).split(b"\n")]
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        raise FetchError(Reason.PROTOCOL_ERROR, f"no HTTP/1.1 answer, but {raw[:40]!r}")
    _check_count(lines)
    headers: list[tuple[bytes, bytes]] = []
    is_strict = status[1].startswith(b"1.") and b"\r" not in raw.replace(b"\r\n", b"\n")
    for line in lines[1:-2]:
        name, colon, value = line.partition(b":")
        if colon and _NAME.fullmatch(token := name.rstrip(b" \t")):
            headers.append((token, value.strip(b" \t")))
        is_strict = is_strict and bool(colon) and _NAME.fullmatch(name) is not None
    version = "1.0" if status[1] == b"1.0" else "1.1"
    return _framed(version, int(status[2]), _text(status[3]), HeaderFields(headers), is_strict=is_strict)


def _check_count(lines: Sized) -> None:
    if len(lines) > MAX_HEADERS:
        raise FetchError(Reason.HEADER_LIMIT, f"the response has more than {MAX_HEADERS} headers")


def _framed(version: str, status: int, phrase: str, headers: HeaderFields, *, is_strict: bool) -> Head:
    """Return the head with its framing (RFC 9112, 6)."""
    lengths, codings = headers.named(b"content-length"), headers.named(b"transfer-encoding")
    options = headers.named(b"connection")
    wishes = _WISHES[options] if options in _WISHES else _members(options)
    is_kept = "keep-alive" in wishes if version == "1.0" else "close" not in wishes
    is_kept = is_strict and is_kept and not (codings and lengths)
    if codings and (removed := _members(codings)):
        framing = _coded(removed, is_old=version == "1.0")
    else:
        framing = _sized(lengths) if lengths else _UNFRAMED
    return Head(
        version=version,
        status=status,
        phrase=phrase,
        headers=headers,
        length=framing.length,
        is_chunked=framing.is_chunked,
        codings=framing.codings,
        keep_alive=is_kept and framing.is_sound,
        flaw=framing.flaw,
    )


class _Framing(NamedTuple):
    """The framing of a body, as in `Head`; unless it `is_sound`, its connection can carry nothing else."""

    length: int | None = None
    is_chunked: bool = False
    codings: tuple[str, ...] = ()
    is_sound: bool = True
    flaw: str | None = None


_UNFRAMED = _Framing()


def _coded(codings: tuple[str, ...], *, is_old: bool) -> _Framing:
    """Return the framing of a body with transfer codings, which alone frame it (RFC 9112, 6.3, rules 3 and 4)."""
    others = tuple(name for name in codings if name != "chunked")
    is_chunked = codings[-1] == "chunked"
    if not _PACKINGS.keys() >= set(others):
        return _Framing(is_sound=False, flaw="its Transfer-Encoding is none that is known")
    if len(codings) > len(others) and not is_chunked:
        return _Framing(is_sound=False, flaw="its body is in chunks, and packed once more around them")
    is_simple = not is_old and len(codings) - len(others) == 1
    return _Framing(is_chunked=is_chunked, codings=tuple(_PACKINGS[name] for name in others), is_sound=is_simple)


def _sized(lengths: Sequence[bytes]) -> _Framing:
    """Return the framing by the one length that all values give (RFC 9112, 6.3, rule 5), empty ones aside."""
    if len(lengths) == 1 and len(lengths[0]) < len(_LONGEST) and lengths[0].isdigit():
        return _Framing(int(lengths[0]))
    told = {member.strip(b" \t") for member in b",".join(lengths).split(b",")} - {b""}
    if not told:
        return _Framing(is_sound=False)
    value = told.pop()
    digits = value.lstrip(b"0") or b"0"
    if told or not (value.isascii() and value.isdigit()) or len(digits) > len(_LONGEST) or int(digits) >= 2**63:
        return _Framing(is_sound=False, flaw="its Content-Length is no length, or several different ones")
    return _Framing(int(digits), is_sound=len(lengths) < 2)


def _text(phrase: bytes) -> str:
    return phrase.decode("latin-1").strip()


def _members(values: Sequence[bytes]) -> tuple[str, ...]:
    """Return the members of a list header in lower case, without parameters and without names that are no coding."""
    members = (member.partition(b";")[0].strip(b" \t").lower() for member in b",".join(values).split(b","))
    return tuple(member.decode("latin-1") for member in members if member not in _NO_CODINGS)
