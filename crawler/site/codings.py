"""How a page of the built-in site is packed: the alphabets it is written in and the codings it is sent in.

Rules
- A charset is declared in exactly one way: by the header, by `<meta>`, or by a byte order mark.
- Packing gives the same decoded bytes everywhere; the packed bytes may differ between versions of a library.
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
    """One way to write text as bytes and to say so.

    Attributes:
        label: its name in the Encoding Standard of WHATWG.
        codec: its name in Python.
        sample: a text that comes out wrong when it is read in another alphabet.
        mark: the byte order mark in front; empty = none.
    """

    label: str
    codec: str
    sample: str = ""
    in_header: bool = False
    in_meta: bool = False
    mark: bytes = b""

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return f"text/html; charset={self.label}" if self.in_header else "text/html"

    def encode(self, text: str) -> bytes:
        """The document as bytes."""
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
