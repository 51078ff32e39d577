"""Text from outside, made safe to show: it cannot move a cursor, forge a line or hide itself.

Rules
- C0, DEL, C1, bidirectional controls, line separators and lone surrogates are shown as escapes; everything else stays.
Runs on: anywhere (pure).
"""

import re

_OCTETS = {0xDC00 + byte: f"%{byte:02X}" for byte in range(0x80, 0x100)}  # as "surrogateescape" decodes them
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def from_octets(raw: bytes) -> str:
    """Return bytes as text: UTF-8, with each byte that is none percent-encoded, as URLs write octets."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape").translate(_OCTETS)


def safe(text: str, limit: int = 500) -> str:
    """Return one line of printable text, at most `limit` characters of it."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)


def error_line(error: BaseException, limit: int = 1000) -> str:
    """Return an error's kind and text in a line; the text may come from foreign code, which may fail."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - whatever it is, there is no text then
        text = "its text cannot be had"
    return safe(f"{type(error).__name__}: {text}".removesuffix(": "), limit)


def size(count: float) -> str:
    """Return a number of bytes for people: 1024 B make 1 KiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(count, 1) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def counted(count: int, noun: str) -> str:
    """Return a number of things for people: 1 line, 2,000 lines."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """Return a time for people: 850 ms, 12.3 s, 4 min 05 s, 2 h 10 min."""
    if round(seconds * 1000) < 1000:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
