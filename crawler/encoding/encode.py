"""The query of a link, percent-encoded in any encoding of the web, as a server of that encoding expects it.

https://encoding.spec.whatwg.org/#encode-or-fail, https://url.spec.whatwg.org/#string-percent-encode-after-encoding
Rules
- Of several sequences that mean a character the standard takes one: the first of its index, with exceptions.
- A character that an encoding does not have becomes its number, `%26%23233%3B`, as browsers send it.
- A table is made from the decoder's results when a link first needs it, so encoder and decoder agree.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from crawler.encoding.decode import UTF_8, UTF_16, single_byte
from crawler.encoding.multibyte import MULTI_BYTE, sequence

_NOT_ASCII = re.compile(r"[^\0-\x7f]")
_NO_NEWLINES = dict.fromkeys(map(ord, "\t\n\r"))  # the URL standard's "basic URL parser" removes them first
_AS_IS = frozenset(range(0x21, 0x7F)) - frozenset(b"\"#'<>")  # URL standard, "special-query percent-encode set"


def percent_encoded(query: str, encoding: str) -> str:
    """Return a query whose characters outside ASCII are percent-encoded bytes of an encoding; ASCII stays as it is."""
    query = query.translate(_NO_NEWLINES)
    if encoding == "iso-2022-jp":
        return "".join(_iso_2022_jp(query))
    return _NOT_ASCII.sub(lambda found: _written(found[0], encoded(found[0], encoding)), query)


def encoded(character: str, encoding: str) -> bytes | None:
    """Return the bytes of one character that is not ASCII; None = the encoding does not have it.

    UTF-16 and `replacement` are UTF-8 here (Encoding, "get an output encoding"), and ISO-2022-JP is EUC-JP.
    """
    if encoding == UTF_8 or encoding in UTF_16 or encoding == "replacement":
        return character.encode("utf-8", "replace")
    data = _table(encoding).get(character)
    if data is not None or encoding != "gb18030":
        return data
    if character == "\ue7c7":
        return b"\x81\x35\xf4\x37"
    try:
        four = character.encode("gb18030")
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return four if len(four) == 4 else None  # two bytes are U+E5E5, by which pages mean a space


def _written(character: str, data: bytes | None) -> str:
    return f"%26%23{ord(character)}%3B" if data is None else _escaped(data)


def _escaped(data: bytes) -> str:
    return "".join(chr(byte) if byte in _AS_IS else f"%{byte:02X}" for byte in data)


_ASCII, _ROMAN, _PAIRS = b"\x1b(B", b"\x1b(J", b"\x1b$B"
_IN_ROMAN = {"\u00a5": b"\\", "\u203e": b"~"}
_SHIFTS = "\x0e\x0f\x1b"  # they would change what follows
# The wide forms of U+FF61 and the next ones: the standard's index ISO-2022-JP katakana.
_WIDE = (
    "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチ"
    "ツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゛゜"
)


def _iso_2022_jp(query: str) -> Iterator[str]:
    """Yield a query in the standard's one encoding that has a state: the escape sequence in force."""
    state = _ASCII
    for character in query:
        wanted, text = _step(character, state)
        yield text if wanted == state else _escaped(wanted) + text
        state = wanted
    if state != _ASCII:
        yield _escaped(_ASCII)


def _step(character: str, state: bytes) -> tuple[bytes, str]:
    """Return the state that a character needs, and the character in it."""
    if character in _IN_ROMAN:
        return _ROMAN, _escaped(_IN_ROMAN[character])
    wide = _WIDE[ord(character) - 0xFF61] if "\uff61" <= character <= "\uff9f" else character
    if pair := _jis_x_0208().get(wide):
        return _PAIRS, _escaped(bytes(byte & 0x7F for byte in pair))
    wanted = _ASCII if state == _PAIRS or character in "\\~" else state
    if character in _SHIFTS:
        return wanted, _written("\ufffd", None)
    return wanted, character if character.isascii() else _written(character, None)


@lru_cache
def _table(encoding: str) -> dict[str, bytes]:
    """Return the bytes of each character outside ASCII, without the four-byte sequences of gb18030."""
    if encoding == "big5":
        return _pairs(encoding, range(0xA1, 0xFF), last="\u2550\u255e\u2561\u256a\u5341\u5345")  # none of HKSCS's rows
    if encoding == "euc-jp":
        katakana = {chr(0xFF61 + at): bytes((0x8E, 0xA1 + at)) for at in range(63)}
        return _jis_x_0208() | katakana | _IN_ROMAN
    if encoding == "shift_jis":  # without the rows of NEC's copies of IBM's characters, and of the user's own
        pairs = _pairs(encoding, [*range(0x81, 0xA0), *range(0xE0, 0xED), *range(0xFA, 0xFD)])
        katakana = {chr(0xFF61 + at): bytes((0xA1 + at,)) for at in range(63)}
        return pairs | {"\u2212": pairs["\uff0d"], "\x80": b"\x80"} | katakana | _IN_ROMAN
    if encoding in {"gbk", "gb18030"}:
        found = _pairs(encoding, range(0x81, 0xFF)) | _OF_2005
        return found | {"\u20ac": b"\x80"} if encoding == "gbk" else found
    if encoding in MULTI_BYTE:
        return _pairs(encoding, range(0x81, 0xFF))
    characters = single_byte(encoding)
    return {characters[byte]: bytes((byte,)) for byte in range(0xFF, 0x7F, -1) if characters[byte] != "\ufffd"}


def _pairs(encoding: str, leads: range | list[int], last: str = "") -> dict[str, bytes]:
    """Return the first pair of each character, and of the characters in `last` the last pair."""
    found: dict[str, bytes] = {}
    for pair in map(bytes, product(leads, range(0x40, 0xFF))):
        character = sequence(pair, encoding)
        if not character.startswith("\ufffd") and (character not in found or character in last):
            found[character] = pair
    return found


@lru_cache
def _jis_x_0208() -> dict[str, bytes]:
    found = _pairs("euc-jp", range(0xA1, 0xFF))
    return found | {"\u2212": found["\uff0d"]}


# Characters for private use that GB 18030-2005 had where the edition of 2022 has characters of Unicode.
_OF_2005 = {
    **{chr(0xE78D + at): bytes((0xA6, 0xD9 + at)) for at in range(7)},
    **{chr(0xE794 + at): bytes((0xA6, byte)) for at, byte in enumerate((0xEC, 0xED, 0xF3))},
    **{chr(0xE815 - 0x50 + byte): bytes((0xFE, byte)) for byte in (0x59, 0x61, 0x66, 0x67, 0x6D, 0x7E)},
    **{chr(0xE844 - 0x80 + byte): bytes((0xFE, byte)) for byte in (0x90, 0xA0)},
}
