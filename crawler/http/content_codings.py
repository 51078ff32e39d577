"""Content-Encoding: gzip, deflate, brotli and zstd are removed within a budget of bytes (RFC 9110, 8.4).

Rules
- Output comes in steps of at most 256 KiB, so a caller can yield between two steps, and no decompression bomb expands
  beyond the limit. The limit also binds the output of an inner layer.
- If one coding is unknown, none is removed, and the bytes are the document as they are (Fetch standard, "handle content
  codings").
- At most 3 layers (curl and urllib3: 5), at most 1024 gzip members or zstd frames, a zstd window of at most 8 MiB
  (RFC 9659).
- A damaged or truncated body is a problem, raised behind all that could be decompressed (`http/decompression.py`).
  Bytes after a complete stream are ignored, as in browsers, unless they start another gzip member or zstd frame.
- An empty body is empty under any coding.
- A body that is here in full and one that flows have the same content and the same problems. The one difference: of one
  that flows 1 MiB is kept, so of a damaged one that is longer, a little in front of the damage may be missing.
Runs on: anywhere (pure); a worker process, or the loop in steps.
"""

import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from crawler.core.reasons import Reason
from crawler.core.visits import Packed
from crawler.http.body_buffer import BodyBuffer
from crawler.http.decompression import CODINGS, STEP, ByteSource, Coding, DecodeProblem, decompressed

__all__ = [
    "STEP",
    "DecodeProblem",
    "FlowDecoder",
    "codings",
    "content_steps",
    "decode",
    "decode_steps",
    "is_unknown",
    "looks_binary",
    "put_together",
    "salvaged",
]

MAX_LAYERS = 3
MAX_MEMBERS = 1024

_NOTHING = frozenset({"", "identity"})
_HEAD = 4
_SLICE = 64 * 1024
_KEPT = 1024 * 1024
_SNIFFED = 1445
_BINARY = re.compile(rb"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def codings(header_value: str | None) -> tuple[str, ...]:
    """Return the codings to remove of a Content-Encoding value, in the order they were applied, lower case."""
    names = _named(header_value)
    return () if any(name not in CODINGS for name in names) else names


def is_unknown(header_value: str | None) -> bool:
    """Return whether a Content-Encoding value names a coding that cannot be removed, so that none is."""
    return any(name not in CODINGS for name in _named(header_value))


def _named(header_value: str | None) -> tuple[str, ...]:
    names = (name.strip().lower() for name in (header_value or "").split(","))
    return tuple("gzip" if name == "x-gzip" else name for name in names if name not in _NOTHING)


def decode(body: bytes, codings: Sequence[str], limit: int) -> bytes:
    """Return the document without its codings, in one piece; `limit` is in bytes.

    Raises:
        DecodeProblem: DECODED_LIMIT or DECODE_ERROR; the bytes as received are still good.
    """
    return put_together(decode_steps(body, codings, limit)) if codings or len(body) > limit else body


def content_steps(content: bytes | Packed) -> Iterator[bytes]:
    """Yield the content of a page: in many pieces if it waited as it was received, else in one."""
    if isinstance(content, Packed):
        return decode_steps(content.body, content.layers, content.limit)
    return iter((content,))


def put_together(pieces: Iterable[bytes]) -> bytes:
    """Return all pieces in one; each may be freed once it is taken, so the whole is not held twice."""
    taken = BodyBuffer()
    for piece in pieces:
        taken.add(piece)
    return taken.whole()


def decode_steps(body: bytes, codings: Sequence[str], limit: int) -> Iterator[bytes]:
    """Yield the document in pieces of at most `STEP` bytes, some empty; raise like `decode`, also after some pieces."""
    if not codings and len(body) > limit:
        raise _too_much(limit)
    return _without(codings, _slices(body), limit, sys.maxsize)


class FlowDecoder:
    """The decoder of a body that flows: `feed` each piece, then `finish`.

    Both give what can be decoded by now, in pieces of at most `STEP` bytes, some empty; what is not taken of it comes
    with the next call. Both raise like `decode`, behind all that could be decoded.
    """

    def __init__(self, codings: Sequence[str], limit: int) -> None:
        self._inflow = _Inflow()
        source = self._inflow if codings else _limited(self._inflow, limit)
        self._content = _without(codings, source, limit, _KEPT)

    def __repr__(self) -> str:
        return f"<FlowDecoder {self._inflow!r}>"

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take a further piece of the body, and yield the content that can be decoded by now."""
        self._inflow.add(_slices(piece))
        return self._ready()

    def finish(self) -> Iterator[bytes]:
        """Yield the rest of the content: no piece follows.

        Raises:
            DecodeProblem: as `decode`; DECODE_ERROR, too, if the body ended too early.
        """
        self._inflow.add((), is_complete=True)
        return self._ready()

    def _ready(self) -> Iterator[bytes]:
        for piece in self._content:
            if self._inflow.is_dry:
                return
            yield piece


class _Inflow:
    """The pieces of a body as they come.

    Attributes:
        is_dry: it was asked for more than has come, and gave an empty piece.
    """

    def __init__(self) -> None:
        self.is_dry = False
        self._waiting: deque[bytes] = deque()
        self._is_complete = False

    def __repr__(self) -> str:
        return f"{len(self._waiting)} pieces wait{', the last ones' if self._is_complete else ''}"

    def add(self, pieces: Iterable[bytes], *, is_complete: bool = False) -> None:
        """Add pieces, perhaps the last ones."""
        self.is_dry = False
        self._waiting.extend(pieces)
        self._is_complete = is_complete

    def __iter__(self) -> Iterator[bytes]:
        while self._waiting or not self._is_complete:
            self.is_dry = not self._waiting
            yield self._waiting.popleft() if self._waiting else b""


def salvaged(body: bytes, pieces: Iterable[bytes]) -> bytes:
    """Return the content of a damaged body, of which these pieces could be decompressed.

    It is the body itself if nothing could be decompressed, or if the body is text: compressed bytes are not.
    """
    content = b"".join(pieces)
    return content if len(content) > len(body) or (content and looks_binary(body)) else body


def looks_binary(body: bytes) -> bool:
    """Return whether there is a binary data byte in its first bytes (MIME Sniffing, 3 and 5)."""
    return _BINARY.search(body, 0, _SNIFFED) is not None


def _slices(body: bytes) -> Iterable[bytes]:
    """Return the body in pieces of a size that a decoder takes at once."""
    return (body[at : at + _SLICE] for at in range(0, len(body), _SLICE)) if len(body) > _SLICE else (body,)


def _without(codings: Sequence[str], pieces: Iterable[bytes], limit: int, kept: int) -> Iterator[bytes]:
    """Return the content under all codings; of each `kept` bytes are kept."""
    if len(codings) > MAX_LAYERS:
        raise DecodeProblem(
            Reason.DECODE_ERROR, f"{len(codings)} content codings are stacked, and {MAX_LAYERS} are taken"
        )
    for name in reversed(codings):
        pieces = _limited(_layer(CODINGS[name], ByteSource(pieces), kept), limit)
    return iter(pieces)


def _layer(coding: Coding, source: ByteSource, kept: int) -> Iterator[bytes]:
    """Yield the content under one coding: all gzip members or zstd frames, one after the other."""
    while not source.has_ahead(1):
        yield b""
    if not source.ahead:
        return
    for _ in range(MAX_MEMBERS):
        yield from decompressed(coding, source, kept)
        if not coding.magic:
            return
        while not source.has_ahead(_HEAD):
            yield b""
        if not source.ahead.startswith(coding.magic):
            return
    raise DecodeProblem(Reason.DECODE_ERROR, f"it has more than {MAX_MEMBERS} members")


def _limited(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the pieces up to the limit; raise if there is more."""
    left = limit
    for piece in pieces:
        if len(piece) > left:
            yield piece[:left]
            raise _too_much(limit)
        left -= len(piece)
        yield piece


def _too_much(limit: int) -> DecodeProblem:
    return DecodeProblem(Reason.DECODED_LIMIT, f"it unpacks to more than {limit} bytes")
