"""Multi-byte encodings of the web, decoded as the Encoding standard says and at the speed of Python's codecs.

Rules
- Python's codecs decode nearly all text, though they know other editions of these character sets. A table per encoding
  holds the sequences that differ on the web (https://encoding.spec.whatwg.org/#indexes).
- An error handler decodes a sequence that Python's codec refuses, and some more, by the standard.
- A wrong character that the codec gives for one sequence alone is replaced in the decoded text. Where the character may
  be right as well, a text in which the sequence's bytes occur is decoded by the standard from its start.
- A lead byte without a trail byte becomes U+FFFD; an ASCII byte behind it is kept.
Runs on: anywhere (pure).
"""

import codecs
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

_AT_ONCE = 256  # sequences that one call of the error handler decodes, so that hostile bytes do not cause a call each
_LONGEST_KEPT = 3  # bytes; there are 1.6 million sequences of four

_GB18030 = """
    80: 20AC A3A0: 3000 A6D9: FE10 FE12 FE11 FE13 FE14 FE15 FE16 A6EC: FE17 FE18 A6F3: FE19 A8BC: 1E3F FE59: 9FB4
    FE61: 9FB5 FE66: 9FB6 9FB7 FE6D: 9FB8 FE7E: 9FB9 FE90: 9FBA FEA0: 9FBB 8135F437: E7C7
"""  # characters of GB 18030-2022; pages mean the euro sign by 80 and the space by A3A0
_BIG5 = """
    877A: 3875 21D53 2369E 26021 3EEC 87A1: 258DE 3AF5 7AFC 9F97 24161 2890D 231EA 20A8A 2325E 430A 8484 9F96 942F
    4930 8613 5896 974A 9218 79D0 7A32 6660 6A29 889D 744C 7BC5 6782 7A2C 524F 9046 34E6 73C4 25DB9 74C6 9FC7 57B3
    492F 544C 4131 2368E 5818 7A72 27B65 8B8F 46AE 26E88 4181 25D99 7BAE 224BC 9FC8 224C1 224C9 224CC 9FC9 8504
    235BB 40B4 9FCA 44E1 2ADFF 62C1 706E 9FCB 8E69: 7BB8 8E6F: 7C06 8E7E: 7CCE 8EAB: 7DD2 8EB4: 7E1D 8ECD: 8005
    8ED0: 8028 8F57: 83C1 8F69: 84A8 8F6E: 840F 8FCB: 89A6 89A9 8FFE: 8D77 906D: 90FD 907A: 92B9 90DC: 975C 90F1:
    97FF 91BF: 9F16 9244: 8503 92AF: 5159 515B 515D 515E 92C8: 936E 92D1: 7479 9447: 6D67 94CA: 799B 95D9: 9097
    9644: 975D 96ED: 701E 96FC: 5B28 9B76: 7201 9B78: 77D7 9B7B: 7E87 9BC6: 99D6 9BDE: 91D4 9BEC: 60DE 9BF6: 6FB6
    9C42: 8F36 9C53: 4FBB 9C62: 71DF 9C68: 9104 9C6B: 9DF0 9C77: 83CF 9CBC: 5C10 79E3 9CD0: 5A67 9D57: 8F0B 9D5A:
    7B51 9DC4: 62D0 9EA9: 6062 9EEF: 75F9 9EFD: 6C4A 9F60: 9B2E 9F66: 9F17 9FCB: 50ED 9FD8: 5F0C A063: 880F A077:
    62CE A0D5: 7468 A0DF: 7162 A0E4: 7250 A145: 2027 A14E: FE51 A1C2: AF A1E3: FF5E A1F2: 2295 2299 A241: 2215 FE68
    A244: FFE5 A246: FFE0 FFE1 A3C0: 2400 2401 2402 2403 2404 2405 2406 2407 2408 2409 240A 240B 240C 240D 240E 240F
    2410 2411 2412 2413 2414 2415 2416 2417 2418 2419 241A 241B 241C 241D 241E 241F 2421 20AC C6CF: 5EF4 C6D3: 65E0
    C6D5: 7676 C6D7: 96B6 C6DE: 3003 4EDD FA5F: 5029 FA66: 507D FABD: 5305 FAC5: 5344 FAD5: 537F FB48: 5605 FBB8:
    5A77 FBF3: 5E75 FBF9: 5ED0 FC4F: 5F58 FC6C: 60A4 FCB9: 6490 FCE2: 6674 FCF1: 675E FDB7: 6C9C 6E1D FDBB: 6E2F
    FDF1: 716E FE52: 732A FE6F: 745C FEAA: 74E9 FEDD: 7809
"""  # HKSCS-2008, the pictures of control characters, and symbols as Windows has them
_EUC_JP = "A1C1: FF5E 2225 A1DD: FF0D A1F1: FFE0 FFE1 A2CC: FFE2 8FA2B7: FF5E"  # symbols as Windows has them
_SHIFT_JIS = "A0: FFFD FD: FFFD FFFD FFFD"  # bytes that Windows keeps and the standard refuses


class _Scheme(NamedTuple):
    """The parts of one encoding's decoder.

    Attributes:
        codec: Python's codec, for whole texts.
        meaning: returns the text of one sequence; None = the sequence is invalid.
        table: the sequences that differ: a sequence in hexadecimal, and the characters of it and the next ones.
        step: the bytes that the standard's decoder takes at once where a byte is not ASCII.
        unfinished: the bytes that it takes at once besides, at the end of a text.
        doubtful: the sequences of the table for which the codec gives a character that other sequences have rightly.
    """

    codec: str
    meaning: Callable[[bytes], str | None]
    table: str
    step: bytes
    unfinished: bytes = rb"[^\0-\xff]"
    doubtful: tuple[bytes, ...] = ()


def decode(body: bytes, encoding: str) -> str:
    """Decode text in one of MULTI_BYTE; invalid bytes become U+FFFD."""
    return _decoder(encoding).decode(body)


def sequence(data: bytes, encoding: str) -> str:
    """Decode one sequence; an invalid one is U+FFFD, and the ASCII byte that ends it."""
    return _decoder(encoding).meanings[data]


@lru_cache
def _decoder(encoding: str) -> "_MultibyteDecoder":
    return _MultibyteDecoder(encoding, _SCHEMES[encoding])


class _MultibyteDecoder:
    """A decoder of one encoding."""

    def __init__(self, encoding: str, scheme: _Scheme) -> None:
        self._codec = codecs.lookup(scheme.codec)
        step = rb"[\0-\x7f]++|" + scheme.step
        last = rb"%b\Z|%b" % (scheme.unfinished, step)
        self._stretch = re.compile(rb"(?:%b){1,%d}+" % (last, _AT_ONCE), re.DOTALL)
        self._step, self._last = re.compile(step, re.DOTALL), re.compile(last, re.DOTALL)
        self._doubtful = scheme.doubtful
        self._replaced: list[tuple[str, str]] = []
        known = _table(scheme.table)
        for data, right in known.items():
            wrong = _decoded(data, scheme.codec)
            if wrong is not None and wrong != right and data not in scheme.doubtful:
                self._replaced.append((wrong, right))
        self.meanings = _Meanings(scheme.meaning, known)
        self._errors = f"crawler.{encoding}"
        codecs.register_error(self._errors, self._mend)

    def decode(self, body: bytes) -> str:
        if not any(data in body for data in self._doubtful):
            text = self._codec.decode(body, self._errors)[0]
            for wrong, right in self._replaced:
                text = text.replace(wrong, right)
            return text
        pieces, at = [], 0
        while at < len(body):
            piece, at = self._steps(body, at)
            pieces.append(piece)
        return "".join(pieces)

    def _mend(self, error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)  # noqa: S101 - this handler only decodes
        return self._steps(error.object, error.start)

    def _steps(self, body: bytes, at: int) -> tuple[str, int]:
        """Decode some steps from here; return their text and their end."""
        stretch = self._stretch.match(body, at)
        assert stretch  # noqa: S101 - a step takes any byte
        step = self._last if stretch.end() == len(body) else self._step
        steps = step.findall(body, at, stretch.end())
        return "".join(map(self.meanings.__getitem__, steps)), stretch.end()


class _Meanings(dict[bytes, str]):
    """A cache of the text of each step, without ASCII and long sequences."""

    def __init__(self, meaning: Callable[[bytes], str | None], known: dict[bytes, str]) -> None:
        super().__init__(known)
        self._meaning = meaning

    def __missing__(self, data: bytes) -> str:
        if data[0] < 0x80:
            return data.decode("ascii")
        text = self._meaning(data)
        if text is None:
            text = "\ufffd" + (chr(data[-1]) if data[-1] < 0x80 else "")
        if len(data) <= _LONGEST_KEPT:
            self[data] = text
        return text


def _table(written: str) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    at = 0
    for word in written.split():
        if word.endswith(":"):
            at, length = int(word[:-1], 16), len(word) // 2
        else:
            found[at.to_bytes(length, "big")] = chr(int(word, 16))
            at += 1
    return found


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _gb18030(data: bytes) -> str | None:
    """Decode GB 18030; of four invalid bytes, and of the start of four at a text's end, no digit is kept."""
    return _decoded(data, "gb18030") or ("\ufffd" if data[1:2].isdigit() else None)


def _euc_jp(data: bytes) -> str | None:
    """Decode EUC-JP with the rows of NEC and IBM in JIS X 0208, which Python's cp932 knows and its euc_jp does not."""
    if len(data) != 2 or data[0] < 0xA1:
        return _decoded(data, "euc_jp")
    if not 0xA1 <= data[1] <= 0xFE:
        return None
    row, cell = divmod((data[0] - 0xA1) * 94 + data[1] - 0xA1, 188)
    return _decoded(bytes((row + (0x81 if row < 0x1F else 0xC1), cell + (0x40 if cell < 0x3F else 0x41))), "cp932")


_PAIR = rb"[\x81-\xfe].|[\x80-\xff]"
_SCHEMES = {
    "gb18030": _Scheme(
        "gbk",
        _gb18030,
        _GB18030,
        rb"[\x81-\xfe](?:[0-9][\x81-\xfe][0-9]|[^0-9])|[\x80-\xff]",
        unfinished=rb"[\x81-\xfe][0-9][\x81-\xfe]?",
    ),
    "big5": _Scheme(
        "big5hkscs", partial(_decoded, codec="big5hkscs"), _BIG5, _PAIR, doubtful=(b"\xa2\x41", b"\xa2\x42")
    ),
    "euc-jp": _Scheme(
        "euc_jp",
        _euc_jp,
        _EUC_JP,
        rb"\x8f[\xa1-\xfe].|[\x8e\x8f\xa1-\xfe].|[\x80-\xff]",
        doubtful=(b"\x8f\xa2\xb7",),
    ),
    "shift_jis": _Scheme("cp932", partial(_decoded, codec="cp932"), _SHIFT_JIS, rb"[\x81-\x9f\xe0-\xfc].|[\x80-\xff]"),
    "euc-kr": _Scheme("cp949", partial(_decoded, codec="cp949"), "", _PAIR),
}
_SCHEMES["gbk"] = _SCHEMES["gb18030"]  # the standard decodes both alike
MULTI_BYTE = frozenset(_SCHEMES)
