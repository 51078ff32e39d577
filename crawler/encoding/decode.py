"""Text in any encoding of the web, decoded as the Encoding standard says (https://encoding.spec.whatwg.org/).

Rules
- Encodings are given by the names of `encoding/labels.py`, so Python's codecs that are not of the web cannot be
  reached.
- Decoding never fails: invalid bytes become U+FFFD. The time is proportional to the number of bytes.
- Tables are made when a text first needs them.
Runs on: anywhere (pure).
"""

import codecs
from functools import lru_cache

from crawler.encoding import iso2022jp, multibyte
from crawler.encoding.labels import named

UTF_8 = "utf-8"
REPLACEMENT = "replacement"  # encodings in which markup can be hidden from a filter: none of their text is read
UTF_16 = {"utf-16le": codecs.BOM_UTF16_LE, "utf-16be": codecs.BOM_UTF16_BE}
_NOT_ASCII = frozenset({*UTF_16, "iso-2022-jp", REPLACEMENT})  # in which a byte below 80 may be another character

# Python's names of single-byte encodings that differ, and the standard's characters that differ from Python's.
_CODECS = {"iso-8859-8-i": "iso-8859-8", "macintosh": "mac-roman", "x-mac-cyrillic": "mac-cyrillic"}
_OTHERS = {"koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"}, "windows-1255": {0xCA: "\u05ba"}}


def text(body: bytes, encoding: str) -> str:
    """Return the text of a document, without a byte order mark."""
    if encoding == UTF_8:
        return body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    if encoding in multibyte.MULTI_BYTE:
        return multibyte.decode(body, encoding)
    if encoding in UTF_16:
        return body.removeprefix(UTF_16[encoding]).decode(encoding, "replace")
    if encoding == "iso-2022-jp":
        return iso2022jp.decode(body)
    if encoding == REPLACEMENT:
        return "\ufffd" if body else ""
    return codecs.charmap_decode(body, "replace", single_byte(encoding))[0]


def utf_8(body: bytes, encoding: str) -> bytes:
    """Return a document in UTF-8, without a byte order mark. One that is in UTF-8 stays as it is, invalid bytes too."""
    if encoding == UTF_8:
        return body.removeprefix(codecs.BOM_UTF8)
    if encoding not in _NOT_ASCII and body.isascii():
        return body
    return text(body, encoding).encode("utf-8", "replace")


@lru_cache
def single_byte(encoding: str) -> str:
    """Return the 256 characters of a single-byte encoding; U+FFFD stands where it has none.

    Raises:
        LookupError: the name is not one of the Encoding standard.
    """
    if named(encoding) != encoding:
        raise LookupError(f"{encoding!r} is no name of an encoding: pass a name that named() returns")
    if encoding == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF780 - 0x80 + byte) for byte in range(256))
    codec = _CODECS.get(encoding) or encoding.replace("windows-", "cp")
    known = bytes(range(256)).decode(codec, "replace")
    if codec.startswith("cp125") or codec == "cp874":  # control characters where Windows has none
        known = "".join(chr(at) if at < 0xA0 and known[at] == "\ufffd" else known[at] for at in range(256))
    others = _OTHERS.get(encoding, {})
    return "".join(others.get(at, known[at]) for at in range(256))
