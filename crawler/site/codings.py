"""The encodings and content codings of the built-in site's pages.

Rules
- A page declares its charset in exactly one way: in the header, in `<meta>`, or by a byte order mark.
- The decoded bytes are the same everywhere; the coded bytes may differ between versions of a library.
Runs on: anywhere (pure).
"""

import codecs
import gzip
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@dataclass(frozen=True, slots=True, kw_only=True)
class Alphabet:
    """An encoding of text, and the way to declare it.

    Attributes:
        label: its name in the WHATWG Encoding Standard.
        codec: its name in Python.
        sample: a text that another encoding would garble.
        mark: the byte order mark; empty = none.
    """

    label: str
    codec: str
    sample: str = ""
    in_header: bool = False
    in_meta: bool = False
    mark: bytes = b""

    @property
    def content_type(self) -> str:
        """Return the value of the Content-Type header."""
        return f"text/html; charset={self.label}" if self.in_header else "text/html"

    def encode(self, text: str) -> bytes:
        """Return the document as bytes."""
        return self.mark + text.encode(self.codec)


UTF_8 = Alphabet(label="utf-8", codec="utf-8", in_header=True, in_meta=True)

_ANY, _WESTERN, _JAPANESE = "Crème brûlée, 東京 ✓", "Crème brûlée, 12 €", "東京の海と空"
ALPHABETS = (
    Alphabet(label="utf-8", codec="utf-8", sample=_ANY, in_header=True),
    Alphabet(label="utf-8", codec="utf-8", sample=_ANY, in_meta=True),
    Alphabet(label="utf-8", codec="utf-8", sample=_ANY, mark=codecs.BOM_UTF8),
    Alphabet(label="utf-16le", codec="utf-16-le", sample=_ANY, mark=codecs.BOM_UTF16_LE),
    Alphabet(label="utf-16be", codec="utf-16-be", sample=_ANY, mark=codecs.BOM_UTF16_BE),
    Alphabet(label="windows-1252", codec="cp1252", sample=_WESTERN, in_header=True),
    Alphabet(label="windows-1252", codec="cp1252", sample=_WESTERN, in_meta=True),
    Alphabet(label="shift_jis", codec="cp932", sample=_JAPANESE, in_header=True),
    Alphabet(label="shift_jis", codec="cp932", sample=_JAPANESE, in_meta=True),
)

# "deflate" is the zlib format (RFC 9110, 8.4.1.2).
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "deflate": lambda data: zlib.compress(data, 1),
    "br": lambda data: brotli.compress(data, quality=1),
    "zstd": lambda data: zstd.compress(data, 1),
}
