"""ISO-2022-JP, the one encoding of the web whose escape sequences change the meaning of the bytes behind them.

https://encoding.spec.whatwg.org/#iso-2022-jp
Rules
- An invalid escape sequence gives U+FFFD for its ESC alone; so does a sequence that directly follows another.
- Pairs of JIS X 0208 are those of EUC-JP with the high bits off, and are decoded as those are.
Runs on: anywhere (pure).
"""

import re

from crawler.encoding import multibyte

_PART = re.compile(rb"(?:\x1b([($][@BIJ])?|\A)([^\x1b]*+)")
_STATES = {b"(B": "ascii", b"(J": "roman", b"(I": "katakana", b"$@": "pairs", b"$B": "pairs"}
_ROMAN = str.maketrans("\\~", "\u00a5\u203e")
_KATAKANA = {byte: 0xFF61 - 0x21 + byte if 0x21 <= byte <= 0x5F else 0xFFFD for byte in range(0x100)}
_NO_ASCII = dict.fromkeys((0x0E, 0x0F, *range(0x80, 0x100)), "\ufffd")
_STEP = re.compile(rb"(?:[\x21-\x7e]{2})++|[\x21-\x7e].?|.", re.DOTALL)
_HIGH = bytes(byte | 0x80 for byte in range(0x100))


def decode(body: bytes) -> str:
    """Decode text in ISO-2022-JP; invalid bytes become U+FFFD."""
    pieces = []
    state, has_switched = "ascii", False
    for part in _PART.finditer(body):
        escape, data = part.groups()
        if escape in _STATES:
            pieces.append("\ufffd" if has_switched else "")
            state, has_switched = _STATES[escape], True
        elif body.startswith(b"\x1b", part.start()):
            pieces.append("\ufffd")
            data, has_switched = (escape or b"") + data, False
        if data:
            pieces.append(_text(data, state))
            has_switched = False
    return "".join(pieces)


def _text(data: bytes, state: str) -> str:
    """Decode bytes without an escape sequence."""
    if state == "pairs":  # a step is one or more pairs, or an invalid byte, possibly with the next one
        steps = (step if len(step) > 1 and 0x21 <= step[1] <= 0x7E else b"" for step in _STEP.findall(data))
        return "".join(multibyte.decode(step.translate(_HIGH), "euc-jp") or "\ufffd" for step in steps)
    text = data.decode("latin-1")
    if state == "katakana":
        return text.translate(_KATAKANA)
    text = text if data.isascii() and b"\x0e" not in data and b"\x0f" not in data else text.translate(_NO_ASCII)
    return text.translate(_ROMAN) if state == "roman" else text
