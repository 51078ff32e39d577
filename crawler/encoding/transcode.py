"""The transcoder of a user's list to UTF-8 with line feeds, from UTF-16, UTF-32, and the line ends of old Macs.

Rules
- UTF-8 with line feeds passes byte for byte.
- A byte order mark (BOM) names the encoding. Without one, zero bytes reveal UTF-16 and UTF-32: ASCII text, as URLs are,
  has no zero byte in UTF-8, and one or three beside each letter in those, the first letter too.
- Where UTF-16 follows UTF-8, as PowerShell appends it, the list is UTF-8, and lines with zero bytes are rejected.
- Bytes that cannot be decoded become a byte that is no UTF-8, so their line is rejected as `not_utf8`.
- Line ends are counted before and after alike: a carriage return alone is one only if the beginning has more of them
  than line feeds.
- A compressed list is refused, with the command that decompresses it.
Strategy: the beginning, `HEAD` bytes, is held until it is whole, and decides; memory is bounded by it and the block.
Runs on: anywhere (pure).
"""

import codecs
import re
from io import IncrementalNewlineDecoder

from crawler.core.errors import UsageError

HEAD = 65_536

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMPRESSED = (
    (b"\x1f\x8b", "gzip", "gzip -dc"),
    (b"PK\x03\x04", "zip (a spreadsheet is, too: save it as CSV)", "unzip -p"),
    (b"\xfd7zXZ\x00", "xz", "xz -dc"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
    (b"BZh", "bzip2", "bzip2 -dc"),
)
_RETURN = re.compile(r"\r(?![\r\n])")
_LOST = "\ufffd".encode()


class Transcoder:
    """A transcoder of the blocks of the list `name` to blocks of UTF-8."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._head: bytes | None = b""  # None = it has decided
        self._codec: str | None = None
        self._decoder: IncrementalNewlineDecoder | codecs.IncrementalDecoder | None = None

    def feed(self, block: bytes) -> bytes:
        """Take a block, and return the text that is complete.

        Raises:
            UsageError: the list is compressed.
        """
        if self._head is None:
            return self._turned(block)
        self._head += block
        return self._begin() if len(self._head) >= HEAD else b""

    def finish(self) -> bytes:
        """Return the rest.

        Raises:
            UsageError: the list is compressed.
        """
        rest = self._begin() if self._head is not None else b""
        return rest + self._turned(b"", last=True)

    def _begin(self) -> bytes:
        head, self._head = self._head or b"", None
        for mark, what, command in _COMPRESSED:
            if head.startswith(mark):
                file = "FILE" if self._name == "-" else self._name
                raise UsageError(f"{self._name}: packed with {what}: `{command} {file} | crawler fetch -` reads it")
        self._codec = encoding_of(head)
        text = head.decode(self._codec, "replace") if self._codec else head.decode("latin-1") if b"\r" in head else ""
        if "\r" in text and len(_RETURN.findall(text)) > text.count("\n"):
            decoder = codecs.getincrementaldecoder(self._codec or "latin-1")("replace")
            self._decoder = IncrementalNewlineDecoder(decoder, translate=True)
        elif self._codec:
            self._decoder = codecs.getincrementaldecoder(self._codec)("replace")
        return self._turned(head)

    def _turned(self, block: bytes, *, last: bool = False) -> bytes:
        if self._decoder is None:
            return block
        text = self._decoder.decode(block, last)
        return text.encode().replace(_LOST, b"\xff") if self._codec else text.encode("latin-1")


def encoding_of(head: bytes) -> str | None:
    """Return the encoding of a list with this beginning; None = UTF-8, or an unknown one."""
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec
    for _, codec in _MARKS if b"\0" in head[:4] else ():
        text = head.decode(codec, "replace")
        if 2 * sum("\0" < letter < "\x80" for letter in text) > len(text):  # most of it is ASCII
            return codec
    return None


def decoded(data: bytes, encoding: str) -> str:
    """Decode a whole list without its byte order mark; invalid bytes become U+FFFD."""
    return data.decode(encoding, "replace").removeprefix("\ufeff")
