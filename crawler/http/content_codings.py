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
Runs on: anywhere (pure); a worker process, or the loop in steps.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from crawler.core.reasons import Reason
from crawler.core.visits import Packed
from crawler.http.body_buffer import BodyBuffer
from crawler.http.decompression import CODINGS, STEP, ByteSource, Coding, DecodeProblem, decompressed

__all__ = [
    "STEP",
    "DecodeProblem",
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
    if len(codings) > MAX_LAYERS:
        raise DecodeProblem(
            Reason.DECODE_ERROR, f"{len(codings)} content codings are stacked, and {MAX_LAYERS} are taken"
        )
    if not codings and len(body) > limit:
        raise _too_much(limit)
    starts = range(0, len(body), _SLICE)
    pieces: Iterable[bytes] = (body[at : at + _SLICE] for at in starts) if len(starts) > 1 else (body,)
    for name in reversed(codings):
        pieces = _layer(CODINGS[name], ByteSource(pieces), limit)
    return iter(pieces)


def salvaged(body: bytes, pieces: Iterable[bytes]) -> bytes:
    """Return the content of a damaged body, of which these pieces could be decompressed.

    It is the body itself if nothing could be decompressed, or if the body is text: compressed bytes are not.
    """
    content = b"".join(pieces)
    return content if len(content) > len(body) or (content and looks_binary(body)) else body


def looks_binary(body: bytes) -> bool:
    """Return whether there is a binary data byte in its first bytes (MIME Sniffing, 3 and 5)."""
    return _BINARY.search(body, 0, _SNIFFED) is not None


def _layer(coding: Coding, source: ByteSource, limit: int) -> Iterator[bytes]:
    """Yield the content under one coding: all gzip members or zstd frames, one after the other."""
    size = 0
    if source.peek(1):
        for _ in range(MAX_MEMBERS):
            for piece in decompressed(coding, source):
                size += len(piece)
                if size > limit:
                    raise _too_much(limit)
                yield piece
            if not (coding.magic and source.peek(_HEAD).startswith(coding.magic)):
                return
        raise DecodeProblem(Reason.DECODE_ERROR, f"it has more than {MAX_MEMBERS} members")


def _too_much(limit: int) -> DecodeProblem:
    return DecodeProblem(Reason.DECODED_LIMIT, f"it unpacks to more than {limit} bytes")
