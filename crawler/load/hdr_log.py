"""Writes an HDR histogram log (format 1.3), which the viewers and libraries of HdrHistogram read.

Strategy: a table of fine buckets is the counts array of an HDR histogram with three significant digits and a lowest
value of 1 ns, so it is written as it is: zigzag LEB128 counts, runs of zeros as one negative number, zlib, base64 (the
V2 encoding of github.com/HdrHistogram/HdrHistogram, HistogramEncoding). Nothing is rounded.
Runs on: anywhere (pure).
"""

import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping

from crawler.core.histogram import FINE, lowest
from crawler.load.nanoseconds import SECOND

_COOKIE = 0x1C849303 | 0x10  # V2, word size as its encoders write it
_COMPRESSED = 0x1C849304 | 0x10
_DIGITS = 3
_HIGHEST = 24 * 3600 * SECOND  # readers allocate for it


def hdr_log(tables: Mapping[str, Mapping[int, int]], *, seconds: float) -> str:
    """Return a log with one histogram per tag, of values in nanoseconds; the column of maxima is in milliseconds."""
    lines = [
        "#[Histogram log format version 1.3]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for tag, table in tables.items():
        most = lowest(max(table), FINE) / 1e6 if table else 0.0
        lines.append(f"Tag={tag},0.000,{seconds:.3f},{most:.3f},{encoded(table)}")
    return "\n".join(lines) + "\n"


def encoded(table: Mapping[int, int]) -> str:
    """Return a table of fine buckets in the compressed V2 encoding, as base64."""
    counts = bytearray()
    following = 0
    for number in sorted(number for number, count in table.items() if count):
        if number > following:
            counts += _leb128(following - number if number > following + 1 else 0)  # a run of zeros, or one
        counts += _leb128(table[number])
        following = number + 1
    highest = max(_HIGHEST, lowest(max(table), FINE) if table else 0)
    head = struct.pack(">iiiiqqd", _COOKIE, len(counts), 0, _DIGITS, 1, highest, 1.0)
    packed = zlib.compress(head + counts)
    return b64encode(struct.pack(">ii", _COMPRESSED, len(packed)) + packed).decode("ascii")


def _leb128(value: int) -> bytes:
    """Encode a number as zigzag LEB128-64b9B: seven bits per byte, and eight in a ninth byte."""
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest >= 0x80 and len(out) < 8:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)
