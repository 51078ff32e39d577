"""The decompression of one stream: a gzip member, a zlib or bare deflate stream, a brotli stream, a zstd frame.

Rules
- A stream that was flushed and never closed is whole, and so is one that lacks its trailer, or a part of it: nothing of
  the document is missing. Any other early end, a wrong checksum and invalid bits are damage.
- Of a damaged stream everything in front of the damage is decompressed, as long as no more of it was received than is
  kept; of a longer one, all up to the last piece in front of the damage.
Strategy: deflate through isal, several times as fast as zlib. A decoder drops the output of the call that meets damage,
so the stream is decompressed once more, byte by byte up to the damage. A stream that ends early is given an empty last
block and a wrong checksum: where nothing of the document is missing, the decoder objects to the checksum alone. So a
sound stream pays nothing for either.
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
    """Bytes that come in pieces, with a place to put back bytes that were taken too early.

    An empty piece says that none has come yet, and that the caller may ask again.

    Attributes:
        ahead: the next bytes, which were put back or looked at.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.ahead = b""

    def take(self) -> bytes | None:
        """Return the next piece; empty = none has come yet, None = there is none any more."""
        if self.ahead:
            piece, self.ahead = self.ahead, b""
            return piece
        return next(self._pieces, None)

    def put_back(self, piece: bytes) -> None:
        """Make this the next piece."""
        self.ahead = piece + self.ahead

    def has_ahead(self, size: int) -> bool:
        """Return whether `ahead` holds `size` bytes or more, or all there are; False = they have not come yet."""
        while len(self.ahead) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            if not piece:
                return False
            self.ahead += piece
        return True


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
        mark: the bytes with which every flush ends, at most 4; empty = they differ.
        end: an empty last block.
        trailer: the bytes behind the last block, with the checksum.
        may_be_empty: a stream that ends early, and in front of any content, may be a whole one without content.
    """

    start: Callable[[], _StreamDecoder]
    mark: bytes
    end: bytes
    trailer: int
    may_be_empty: bool = True


class Coding(msgspec.Struct, frozen=True):
    """A content coding: `format` knows a stream by its first bytes, `magic` tells a further stream from garbage."""

    format: Callable[[bytes], StreamFormat]
    magic: tuple[bytes, ...] = ()


def decompressed(coding: Coding, source: ByteSource, kept: int = sys.maxsize) -> Iterator[bytes]:
    """Yield the content of one stream in pieces of at most `STEP` bytes; empty = a step, or nothing has come yet.

    Of the stream up to `kept` bytes are kept, for the case that it is damaged.

    Raises:
        DecodeProblem: the stream is damaged; all content before the damage was yielded.
    """
    while not source.has_ahead(_HEAD):
        yield b""
    kind = coding.format(source.ahead)
    decoder = kind.start()
    taken: list[bytes] = []
    received = size = 0
    tail = b""
    try:
        while not decoder.eof:
            piece = b""
            if decoder.needs_input:
                if (came := source.take()) is None:
                    break
                if not came:
                    yield b""
                    continue
                piece = came
                received += len(piece)
                taken.append(piece)
                tail = (tail + piece[-_HEAD:])[-_HEAD:]
                if received > kept:
                    taken.clear()
            if output := decoder.decompress(piece, max_length=STEP):
                size += len(output)
                yield output
    except _DAMAGE as error:
        if taken and (yield from _rest(kind, taken, size)):
            return  # a brotli stream ended, and its decoder refuses the bytes behind it
        raise _damaged(str(error)[:200]) from error
    if decoder.eof:
        source.put_back(decoder.unused_data)
    elif not _is_all_there(kind, decoder, tail, size):
        raise _damaged("it ends too early")


def _damaged(how: str) -> DecodeProblem:
    return DecodeProblem(Reason.DECODE_ERROR, f"its content coding is damaged: {how}")


def _is_all_there(kind: StreamFormat, decoder: _StreamDecoder, tail: bytes, size: int) -> bool:
    """Return whether a stream that ends too early, behind `size` bytes, lacks no more than its formal end."""
    if not (size or kind.may_be_empty):
        return False
    try:
        for byte in (kind.end if tail.endswith(kind.mark) else b"") + bytes(kind.trailer):
            if decoder.eof:
                break
            if decoder.decompress(bytes((byte,)), max_length=STEP):
                return False  # it stopped within a block
    except _DAMAGE as error:
        return "checksum" in str(error)  # its trailer is as long as that, so no block has ended among these bytes
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


def _in_deflate(flag: int, trailer: int, *, may_be_empty: bool = True) -> StreamFormat:
    """Return a format of deflate, whose flush ends with an empty stored block, on a byte's border."""
    return StreamFormat(
        lambda: cast("_StreamDecoder", igzip_lib.IgzipDecompressor(flag=flag)),
        mark=b"\0\0\xff\xff",
        end=b"\x03\0",
        trailer=trailer,
        may_be_empty=may_be_empty,
    )


_GZIP = _in_deflate(igzip_lib.DECOMP_GZIP, trailer=8)
_GZIP_CHECKED_HEAD = _in_deflate(igzip_lib.DECOMP_GZIP, trailer=8, may_be_empty=False)
_ZLIB = _in_deflate(igzip_lib.DECOMP_ZLIB, trailer=4)
_DEFLATE = _in_deflate(igzip_lib.DECOMP_DEFLATE, trailer=0)


def _gzip(first: bytes) -> StreamFormat:
    """Return gzip; a header with a checksum of its own, which may be what is wrong with a stream, says so by a flag."""
    return _GZIP_CHECKED_HEAD if len(first) > 3 and first[3] & 2 else _GZIP


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


_BROTLI = StreamFormat(_BrotliDecoder, mark=b"", end=b"\x03", trailer=0)


# --- zstd (RFC 8878) -------------------------------------------------------------------------------------------------


def _new_zstd() -> _StreamDecoder:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


# Its flush writes nothing for no content, so there is its header alone, which is no sign of a whole stream.
_ZSTD = StreamFormat(_new_zstd, mark=b"", end=b"\x01\0\0", trailer=4, may_be_empty=False)

CODINGS = {
    "gzip": Coding(_gzip, magic=(b"\x1f\x8b",)),
    "deflate": Coding(_zlib_or_bare),
    "br": Coding(lambda _first: _BROTLI),
    "zstd": Coding(lambda _first: _ZSTD, magic=_ZSTD_MAGIC),
}
