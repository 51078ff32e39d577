"""The decompression of one stream: a gzip member, a zlib or bare deflate stream, a brotli stream, a zstd frame.

Rules
- A stream that was flushed and never closed is whole, and so is one that lacks its trailer, or a part of it: nothing of
  the document is missing. Any other early end, a wrong checksum and invalid bits are damage.
- Of a damaged stream everything in front of the damage is decompressed.
Strategy: deflate through isal, several times as fast as zlib. The fault of a stream that does not reach its end is
found by decompressing it once more, without the wrapping, or byte by byte up to the damage (a decoder drops the output
of the call that meets damage). So a sound stream pays nothing for it.
Runs on: anywhere (pure).
"""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Protocol, cast

import brotli
import msgspec
from isal import igzip_lib

from crawler.core.errors import ParseError
from crawler.core.reasons import Reason

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEP = 256 * 1024

_HEAD = 4
_ZSTD_WINDOW_LOG = 23
_ZSTD_MAGIC = (b"\x28\xb5\x2f\xfd", *(bytes((0x50 + n, 0x2A, 0x4D, 0x18)) for n in range(16)))  # frame, skippable
_IsalError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment] # its stub says instance, not class
_DAMAGE = (_IsalError, brotli.error, zstd.ZstdError, EOFError)


class DecodeProblem(ParseError):
    """A content coding is damaged, or decompresses to more than the limit; the reason says which."""


class ByteSource:
    """Bytes that come in pieces, with a place to put back bytes that were taken too early."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = filter(None, pieces)  # empty is the end
        self._returned = b""

    def take(self) -> bytes:
        """Return the next piece; empty at the end."""
        piece, self._returned = self._returned, b""
        return piece or next(self._pieces, b"")

    def put_back(self, piece: bytes) -> None:
        """Make this the next piece."""
        self._returned = piece + self._returned

    def peek(self, size: int) -> bytes:
        """Return the next bytes, `size` or more unless the end comes before, and keep them."""
        if len(self._returned) >= size:
            return self._returned
        piece = self.take()
        while len(piece) < size and (more := next(self._pieces, b"")):
            piece += more
        self._returned = piece
        return piece


class _StreamDecoder(Protocol):
    """One stream of a library's decoder."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /, max_length: int) -> bytes: ...


class StreamFormat(msgspec.Struct, frozen=True):
    """The format of a compressed stream.

    Attributes:
        start: makes a decoder.
        start_bare: makes a decoder for the stream that `bare` returns: without header, trailer or checksum.
        mark: the bytes with which every flush ends; empty = they differ.
        end: an empty last block.
    """

    start: Callable[[], _StreamDecoder]
    start_bare: Callable[[], _StreamDecoder]
    bare: Callable[[bytes], bytes]
    mark: bytes
    end: bytes


class Coding(msgspec.Struct, frozen=True):
    """A content coding: `format` knows a stream by its first bytes, `magic` tells a further stream from garbage."""

    format: Callable[[bytes], StreamFormat]
    magic: tuple[bytes, ...] = ()


def decompressed(coding: Coding, source: ByteSource) -> Iterator[bytes]:
    """Yield the content of one stream in pieces of at most `STEP` bytes, some of them empty.

    Raises:
        DecodeProblem: the stream is damaged; all content before the damage was yielded.
    """
    kind = coding.format(source.peek(_HEAD))
    decoder = kind.start()
    taken: list[bytes] = []
    size = 0
    try:
        while not decoder.eof:
            piece = b""
            if decoder.needs_input:
                if not (piece := source.take()):
                    break
                taken.append(piece)
            if output := decoder.decompress(piece, max_length=STEP):
                size += len(output)
                yield output
    except _DAMAGE as error:
        if (yield from _rest(kind, taken, size)):
            return  # a brotli stream ended, and its decoder refuses the bytes behind it
        raise _damaged(str(error)[:200]) from error
    if decoder.eof:
        source.put_back(decoder.unused_data)
    elif not _is_all_there(kind, b"".join(taken), size):
        raise _damaged("it ends too early")


def _damaged(how: str) -> DecodeProblem:
    return DecodeProblem(Reason.DECODE_ERROR, f"its content coding is damaged: {how}")


def _is_all_there(kind: StreamFormat, stream: bytes, size: int) -> bool:
    """Return whether a stream that ends too early, behind `size` bytes, lacks no more than its formal end."""
    if kind is _ZSTD and not size:
        return False  # its header alone: a flush of nothing would not have written even that
    decoder, bare = kind.start_bare(), kind.bare(stream)
    try:
        for _ in _outputs(decoder, (bare,)):
            pass
        if not decoder.eof and bare.endswith(kind.mark) and decoder.decompress(kind.end, max_length=STEP):
            return False  # it stopped within a block
    except _DAMAGE:
        return False
    return decoder.eof


def _outputs(decoder: _StreamDecoder, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield decoder.decompress(piece, max_length=STEP)
        while not (decoder.eof or decoder.needs_input):
            yield decoder.decompress(b"", max_length=STEP)
        if decoder.eof:
            return


def _rest(kind: StreamFormat, taken: list[bytes], size: int) -> Generator[bytes, None, bool]:
    """Yield the content between its first `size` bytes and the damage; return whether the stream ended."""
    *whole, last = taken
    found = bytearray()
    decoder = kind.start()
    with suppress(*_DAMAGE):
        for output in _outputs(decoder, chain(whole, (last[at : at + 1] for at in range(len(last))))):
            if size:
                yield b""  # a step for the caller, as the first time
            found += output[size:]
            size = max(0, size - len(output))
            if len(found) >= STEP:
                yield bytes(found[:STEP])
                del found[:STEP]
    yield bytes(found)
    return decoder.eof


# --- gzip and deflate (RFC 1952, 1950, 1951) -------------------------------------------------------------------------


def _igzip(flag: int) -> Callable[[], _StreamDecoder]:
    return lambda: cast("_StreamDecoder", igzip_lib.IgzipDecompressor(flag=flag))


def _in_deflate(flag: int, bare: Callable[[bytes], bytes]) -> StreamFormat:
    """Return a format of deflate, whose flush ends with an empty stored block, on a byte's border."""
    return StreamFormat(_igzip(flag), _igzip(igzip_lib.DECOMP_DEFLATE), bare, mark=b"\0\0\xff\xff", end=b"\x03\0")


def _without_gzip_header(stream: bytes) -> bytes:
    flags, at = stream[3] if len(stream) > 3 else 0, 10
    if flags & 4:
        at += 2 + int.from_bytes(stream[at : at + 2], "little")
    for flag in (8, 16):  # name and comment, each up to a zero byte
        if flags & flag:
            at = stream.find(b"\0", at) + 1 or len(stream)
    return stream[at + (flags & 2) :]


_GZIP = _in_deflate(igzip_lib.DECOMP_GZIP, _without_gzip_header)
_ZLIB = _in_deflate(igzip_lib.DECOMP_ZLIB, lambda stream: stream[2:])
_DEFLATE = _in_deflate(igzip_lib.DECOMP_DEFLATE, lambda stream: stream)


def _zlib_or_bare(first: bytes) -> StreamFormat:
    """Return zlib, the `deflate` of RFC 9110, or the bare deflate that some servers send; browsers accept both."""
    is_zlib = len(first) > 1 and first[0] & 0x0F == 8 and int.from_bytes(first[:2], "big") % 31 == 0
    return _ZLIB if is_zlib else _DEFLATE


# --- brotli (RFC 7932) -----------------------------------------------------------------------------------------------


class _BrotliDecoder:
    """A brotli decoder with the interface of the other decoders."""

    unused_data = b""

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()
        self._may_hold_more = False

    @property
    def eof(self) -> bool:
        try:
            return bool(self._inner.is_finished())
        except brotli.error:  # a damaged decoder raises here, too
            return False

    @property
    def needs_input(self) -> bool:
        return not self._may_hold_more and bool(self._inner.can_accept_more_data())

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        soft_limit = max_length // 2  # it may return almost twice its limit
        output: bytes = self._inner.process(data, output_buffer_limit=soft_limit)
        self._may_hold_more = bool(output)  # it returns 32 KiB at a time, and has often taken all of its input by then
        return output


_BROTLI = StreamFormat(_BrotliDecoder, _BrotliDecoder, lambda stream: stream, mark=b"", end=b"\x03")


# --- zstd (RFC 8878) -------------------------------------------------------------------------------------------------


def _new_zstd() -> _StreamDecoder:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


_ZSTD = StreamFormat(
    _new_zstd,
    _new_zstd,
    bare=lambda frame: frame[:4] + bytes((frame[4] & ~4,)) + frame[5:],  # without the checksum flag of its header
    mark=b"",
    end=b"\x01\0\0",
)

CODINGS = {
    "gzip": Coding(lambda _first: _GZIP, magic=(b"\x1f\x8b",)),
    "deflate": Coding(_zlib_or_bare),
    "br": Coding(lambda _first: _BROTLI),
    "zstd": Coding(lambda _first: _ZSTD, magic=_ZSTD_MAGIC),
}
