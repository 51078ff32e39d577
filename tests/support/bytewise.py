"""The Encoding standard's multi-byte decoders, byte by byte as it writes them: slow, and easy to compare with its text.

https://encoding.spec.whatwg.org/. An index is a function from a pointer to text; None = the index has no such pointer.
"""

from collections.abc import Callable, Mapping
from typing import Literal

Index = Callable[[int], str | None]
Indexes = Mapping[str, Index]
END = -1
ERROR = "\ufffd"


class Decoder:
    """The part that all of them share: a queue of bytes that some are given back to, and a lead byte."""

    def __init__(self, indexes: Indexes) -> None:
        self.indexes = indexes
        self.queue: list[int] = []
        self.lead = 0

    def decode(self, body: bytes) -> str:
        """The text of a whole body."""
        self.queue = [END, *reversed(body)]
        out: list[str] = []
        while (text := self.step(self.queue.pop())) is not None:
            out.append(text)
        return "".join(out)

    def give_back(self, *data: int) -> None:
        """The next bytes to be read, in this order."""
        self.queue.extend(reversed(data))

    def step(self, byte: int) -> str | None:
        """One call of the handler: text, nothing yet, an error, or None = finished."""
        raise NotImplementedError

    def start(self, byte: int) -> str:
        """A byte of which nothing is known yet: ASCII, or an error."""
        return chr(byte) if byte < 0x80 else ERROR

    def refused(self, byte: int) -> str:
        """A pair without a meaning: an ASCII byte is given back."""
        if byte < 0x80:
            self.give_back(byte)
        return ERROR

    def ended(self) -> str | None:
        """The end of the queue: an error if something was begun."""
        if not self.lead:
            return None
        self.lead = 0
        self.give_back(END)
        return ERROR


class _Pairs(Decoder):
    """Big5, EUC-KR and Shift_JIS: a lead byte and a trail byte."""

    index = ""
    leads: tuple[range, ...] = (range(0x81, 0xFF),)

    def pointer(self, lead: int, byte: int) -> int | None:
        raise NotImplementedError

    def text(self, pointer: int) -> str | None:
        return self.indexes[self.index](pointer)

    def step(self, byte: int) -> str | None:
        if byte == END:
            return self.ended()
        if self.lead:
            lead, self.lead = self.lead, 0
            pointer = self.pointer(lead, byte)
            text = None if pointer is None else self.text(pointer)
            return text if text is not None else self.refused(byte)
        if any(byte in leads for leads in self.leads):
            self.lead = byte
            return ""
        return self.start(byte)


class _Big5(_Pairs):
    index = "big5"

    def pointer(self, lead: int, byte: int) -> int | None:
        if 0x40 <= byte <= 0x7E or 0xA1 <= byte <= 0xFE:
            return (lead - 0x81) * 157 + byte - (0x40 if byte < 0x7F else 0x62)
        return None

    def text(self, pointer: int) -> str | None:
        two = {1133: "\u00ca\u0304", 1135: "\u00ca\u030c", 1164: "\u00ea\u0304", 1166: "\u00ea\u030c"}
        return two.get(pointer) or super().text(pointer)


class _EucKr(_Pairs):
    index = "euc-kr"

    def pointer(self, lead: int, byte: int) -> int | None:
        return (lead - 0x81) * 190 + byte - 0x41 if 0x41 <= byte <= 0xFE else None


class _ShiftJis(_Pairs):
    index, leads = "jis0208", (range(0x81, 0xA0), range(0xE0, 0xFD))

    def pointer(self, lead: int, byte: int) -> int | None:
        if 0x40 <= byte <= 0x7E or 0x80 <= byte <= 0xFC:
            return (lead - (0x81 if lead < 0xA0 else 0xC1)) * 188 + byte - (0x40 if byte < 0x7F else 0x41)
        return None

    def text(self, pointer: int) -> str | None:
        return chr(0xE000 - 8836 + pointer) if 8836 <= pointer <= 10715 else super().text(pointer)

    def start(self, byte: int) -> str:
        if byte == 0x80:
            return "\x80"
        return chr(0xFF61 - 0xA1 + byte) if 0xA1 <= byte <= 0xDF else super().start(byte)


class _EucJp(Decoder):
    is_jis0212 = False

    def step(self, byte: int) -> str | None:
        if byte == END:
            return self.ended()
        if self.lead == 0x8E and 0xA1 <= byte <= 0xDF:
            self.lead = 0
            return chr(0xFF61 - 0xA1 + byte)
        if self.lead == 0x8F and 0xA1 <= byte <= 0xFE:
            self.is_jis0212, self.lead = True, byte
            return ""
        if self.lead:
            lead, self.lead = self.lead, 0
            name, self.is_jis0212 = "jis0212" if self.is_jis0212 else "jis0208", False
            are_both = 0xA1 <= lead <= 0xFE and 0xA1 <= byte <= 0xFE
            text = self.indexes[name]((lead - 0xA1) * 94 + byte - 0xA1) if are_both else None
            return text if text is not None else self.refused(byte)
        if byte in {0x8E, 0x8F} or 0xA1 <= byte <= 0xFE:
            self.lead = byte
            return ""
        return self.start(byte)


class _Gb18030(Decoder):
    second = third = 0

    def step(self, byte: int) -> str | None:
        if byte == END:
            self.second = self.third = 0
            return self.ended()
        if self.third:
            return self.fourth_byte(byte)
        if self.second:
            return self.third_byte(byte)
        if self.lead:
            return self.second_byte(byte)
        if 0x81 <= byte <= 0xFE:
            self.lead = byte
            return ""
        return "\u20ac" if byte == 0x80 else self.start(byte)

    def second_byte(self, byte: int) -> str:
        if 0x30 <= byte <= 0x39:
            self.second = byte
            return ""
        lead, self.lead = self.lead, 0
        text = None
        if 0x40 <= byte <= 0x7E or 0x80 <= byte <= 0xFE:
            text = self.indexes["gb18030"]((lead - 0x81) * 190 + byte - (0x40 if byte < 0x7F else 0x41))
        return text if text is not None else self.refused(byte)

    def third_byte(self, byte: int) -> str:
        if 0x81 <= byte <= 0xFE:
            self.third = byte
            return ""
        self.give_back(self.second, byte)
        self.lead = self.second = 0
        return ERROR

    def fourth_byte(self, byte: int) -> str:
        first, second, third = self.lead, self.second, self.third
        self.lead = self.second = self.third = 0
        if not 0x30 <= byte <= 0x39:
            self.give_back(second, third, byte)
            return ERROR
        pointer = (first - 0x81) * 12600 + (second - 0x30) * 1260 + (third - 0x81) * 10 + byte - 0x30
        return self.indexes["gb18030-ranges"](pointer) or ERROR


class _Iso2022Jp(Decoder):
    state = output_state = "ASCII"
    has_switched = False

    def step(self, byte: int) -> str | None:  # noqa: PLR0911 - the states are the standard's
        if self.state == "escape start":
            return self.escape_start(byte)
        if self.state == "escape":
            return self.escape(byte)
        if self.state == "trail":
            return self.trail(byte)
        if byte == 0x1B:
            self.state = "escape start"
            return ""
        if byte == END:
            return None
        self.has_switched = False
        if self.state == "katakana":
            return chr(0xFF61 - 0x21 + byte) if 0x21 <= byte <= 0x5F else ERROR
        if self.state == "lead":
            if not 0x21 <= byte <= 0x7E:
                return ERROR
            self.lead, self.state = byte, "trail"
            return ""
        if self.state == "Roman" and byte in {0x5C, 0x7E}:
            return {0x5C: "\u00a5", 0x7E: "\u203e"}[byte]
        return chr(byte) if byte < 0x80 and byte not in {0x0E, 0x0F} else ERROR

    def trail(self, byte: int) -> str:
        if byte == 0x1B:
            self.state = "escape start"
            return ERROR
        self.state = "lead"
        if byte == END:
            self.give_back(END)
        if 0x21 <= byte <= 0x7E:
            return self.indexes["jis0208"]((self.lead - 0x21) * 94 + byte - 0x21) or ERROR
        return ERROR

    def escape_start(self, byte: int) -> str:
        if byte in {0x24, 0x28}:
            self.lead, self.state = byte, "escape"
            return ""
        self.give_back(byte)
        self.has_switched, self.state = False, self.output_state
        return ERROR

    def escape(self, byte: int) -> str:
        lead, self.lead = self.lead, 0
        states = {(0x28, 0x42): "ASCII", (0x28, 0x4A): "Roman", (0x28, 0x49): "katakana"}
        state = states.get((lead, byte)) or ("lead" if lead == 0x24 and byte in {0x40, 0x42} else None)
        if state:
            self.state = self.output_state = state
            had_switched, self.has_switched = self.has_switched, True
            return ERROR if had_switched else ""
        self.give_back(lead, byte)
        self.has_switched, self.state = False, self.output_state
        return ERROR


class _Utf16(Decoder):
    """Both of them; a lead surrogate waits beside the lead byte."""

    def __init__(self, order: Literal["big", "little"]) -> None:
        super().__init__({})
        self.order = order

    def decode(self, body: bytes) -> str:
        units = [int.from_bytes(body[at : at + 2], self.order) for at in range(0, len(body) - 1, 2)]
        out, high = [], 0
        for unit in units:
            if high and 0xDC00 <= unit <= 0xDFFF:
                out.append(chr(0x10000 + ((high - 0xD800) << 10) + unit - 0xDC00))
                high = 0
                continue
            out.append(ERROR if high else "")
            high = unit if 0xD800 <= unit <= 0xDBFF else 0
            if not high:
                out.append(ERROR if 0xDC00 <= unit <= 0xDFFF else chr(unit))
        return "".join(out) + (ERROR if high or len(body) % 2 else "")


DECODERS: Mapping[str, Callable[[Indexes], Decoder]] = {
    "big5": _Big5,
    "euc-jp": _EucJp,
    "euc-kr": _EucKr,
    "gb18030": _Gb18030,
    "gbk": _Gb18030,
    "iso-2022-jp": _Iso2022Jp,
    "shift_jis": _ShiftJis,
    "utf-16be": lambda _: _Utf16("big"),
    "utf-16le": lambda _: _Utf16("little"),
}
