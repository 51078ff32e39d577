"""Content codings are removed here, within a budget (RFC 9110, 8.4).

Rules
- Output comes in steps of at most 256 KiB, so a caller can let others run between two of them, and no bomb is unpacked
  further than the limit. The limit also binds what an inner layer unpacks to.
- At most 3 layers (curl and urllib3: 5), at most 1024 gzip members or zstd frames, a zstd window of at most 8 MiB
  (RFC 9659).
- What is cut short or damaged is an error, never a shorter document. Bytes after a complete stream are ignored, as
  browsers do, unless they start another gzip member or zstd frame.
- An empty body is empty under any known coding.
Strategy: gzip and deflate through isal, several times as fast as zlib.
Runs on: anywhere (pure); a worker process, or the loop in steps.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import brotli
from isal import igzip_lib

from crawler.core.errors import ParseError
from crawler.core.reasons import Reason

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEP = 256 * 1024
MAX_LAYERS = 3
MAX_MEMBERS = 1024

_NOTHING = frozenset({"", "identity"})
_HEAD = 4
_SLICE = 64 * 1024
_ZSTD_WINDOW_LOG = 23
_ZSTD_MAGIC = (b"\x28\xb5\x2f\xfd", *(bytes((0x50 + n, 0x2A, 0x4D, 0x18)) for n in range(16)))  # frame, skippable
_IsalError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment] # its stub says instance, not class
_DAMAGE = (_IsalError, brotli.error, zstd.ZstdError, EOFError)


class DecodeProblem(ParseError):
    """A content coding is unknown, damaged, or unpacks to more than the limit; the reason says which."""


def codings(header_value: str | None) -> tuple[str, ...]:
    """The codings of a Content-Encoding value in the order they were applied, lower case, without `identity`."""
    names = (name.strip().lower() for name in (header_value or "").split(","))
    return tuple(name.removeprefix("x-") if name == "x-gzip" else name for name in names if name not in _NOTHING)


def decode(body: bytes, codings: Sequence[str], limit: int) -> bytes:
    """The document itself, in one piece; `limit` is in bytes.

    Raises:
        DecodeProblem: DECODED_LIMIT or DECODE_ERROR; the bytes as received are still good.
    """
    return b"".join(decode_steps(body, codings, limit)) if codings or len(body) > limit else body


def decode_steps(body: bytes, codings: Sequence[str], limit: int) -> Iterator[bytes]:
    """The document in pieces of at most `STEP` bytes; raises like `decode`, possibly after some pieces."""
    layers = [_layer(name) for name in codings]
    if len(layers) > MAX_LAYERS:
        raise DecodeProblem(
            Reason.DECODE_ERROR, f"{len(layers)} content codings are stacked, and {MAX_LAYERS} are taken"
        )
    pieces = _slices(body)
    for layer in reversed(layers) if body else ():
        pieces = _bounded(layer.unpacked(pieces), limit)
    return _bounded(pieces, limit)


class _Source:
    """Bytes that come in pieces, with a place to put back what was taken too early."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._returned = b""

    def take(self) -> bytes:
        """The next piece; empty at the end."""
        piece, self._returned = self._returned, b""
        return piece or next(self._pieces, b"")

    def put_back(self, piece: bytes) -> None:
        self._returned = piece + self._returned

    def peek(self, size: int) -> bytes:
        """The next bytes, `size` or more unless the end comes before; they stay."""
        piece = self.take()
        while len(piece) < size and (more := next(self._pieces, b"")):
            piece += more
        self._returned = piece
        return piece


class _Decoder(Protocol):
    """One gzip member, zstd frame or brotli stream."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /, max_length: int) -> bytes: ...


def _slices(body: bytes) -> Iterator[bytes]:
    return (body[start : start + _SLICE] for start in range(0, len(body), _SLICE))


def _bounded(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise DecodeProblem(Reason.DECODED_LIMIT, f"it unpacks to more than {limit} bytes")
        yield piece


def _layer(name: str) -> "_Layer":
    if name not in _LAYERS:
        raise DecodeProblem(Reason.DECODE_ERROR, f"the content coding {name[:40]!r} is not known")
    return _LAYERS[name]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One coding: `start` sees a stream's first bytes, `magic` tells a further stream from garbage."""

    start: Callable[[bytes], _Decoder]
    magic: tuple[bytes, ...] = ()

    def unpacked(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        source = _Source(pieces)
        for _ in range(MAX_MEMBERS):
            decoder = self.start(source.peek(_HEAD))
            yield from _one_stream(decoder, source)
            source.put_back(decoder.unused_data)
            if not (self.magic and source.peek(_HEAD).startswith(self.magic)):
                return
        raise DecodeProblem(Reason.DECODE_ERROR, f"it has more than {MAX_MEMBERS} members")


def _one_stream(decoder: _Decoder, source: _Source) -> Iterator[bytes]:
    try:
        while not decoder.eof:
            piece = source.take() if decoder.needs_input else b""
            if decoder.needs_input and not piece:
                raise EOFError("it ends too early")
            if output := decoder.decompress(piece, max_length=STEP):
                yield output
    except _DAMAGE as error:
        raise DecodeProblem(Reason.DECODE_ERROR, f"its content coding is damaged: {str(error)[:200]}") from error


class _Brotli:
    """Brotli with the manners of the other decoders."""

    unused_data = b""

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()
        self._is_full = False

    @property
    def eof(self) -> bool:
        return bool(self._inner.is_finished())

    @property
    def needs_input(self) -> bool:
        return not self._is_full and bool(self._inner.can_accept_more_data())

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        soft_limit = max_length // 2  # it may give back almost twice what it is told
        output: bytes = self._inner.process(data, output_buffer_limit=soft_limit)
        self._is_full = len(output) >= soft_limit  # then more may wait inside, with all input taken
        return output


def _igzip(flag: int) -> _Decoder:
    decoder: _Decoder = igzip_lib.IgzipDecompressor(flag=flag)
    return decoder


def _start_gzip(_first: bytes) -> _Decoder:
    return _igzip(igzip_lib.DECOMP_GZIP)


def _start_deflate(first: bytes) -> _Decoder:
    """Zlib as the RFC has it, or the bare deflate stream that some servers send; every browser takes both."""
    is_zlib = len(first) > 1 and first[0] & 0x0F == 8 and int.from_bytes(first[:2], "big") % 31 == 0
    return _igzip(igzip_lib.DECOMP_ZLIB if is_zlib else igzip_lib.DECOMP_DEFLATE)


def _start_brotli(_first: bytes) -> _Decoder:
    return _Brotli()


def _start_zstd(_first: bytes) -> _Decoder:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


_LAYERS = {
    "gzip": _Layer(_start_gzip, magic=(b"\x1f\x8b",)),
    "deflate": _Layer(_start_deflate),
    "br": _Layer(_start_brotli),
    "zstd": _Layer(_start_zstd, magic=_ZSTD_MAGIC),
}
