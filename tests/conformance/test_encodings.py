"""The Encoding standard, whole: labels, indexes, decoders and encoders (https://encoding.spec.whatwg.org/)."""

import codecs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.encoding import multibyte
from crawler.encoding.decode import single_byte, text
from crawler.encoding.encode import percent_encoded
from crawler.encoding.labels import ENCODINGS, LABELS
from support import bytewise, standard

DIGESTS = {  # of the standard's tables, decoders and encoders, as `standard.py` says; it prints them
    "utf-8": "eb188c588f721a96d276b7227c146189",
    "ibm866": "578a0e63a16241714b27c78645b2be74",
    "iso-8859-2": "452b0487804c3142cf997305300b088f",
    "iso-8859-3": "fd1434cac29cfae9427eca66a9bc179a",
    "iso-8859-4": "f6c34765098f9a4d2061de551a191ba2",
    "iso-8859-5": "ea1e28020687c401bbf21b6dfef3f37a",
    "iso-8859-6": "0c1960c79ff1ae90729aeaf9b08a1c4d",
    "iso-8859-7": "1092f54cf46017a61e5f057933b1c62a",
    "iso-8859-8": "156dc323408cc2704e50d45a31d713e2",
    "iso-8859-8-i": "6ef90240a6e6bb331ee4d8c43a10e853",
    "iso-8859-10": "f72cd560facb96c5b141ce0f861b779b",
    "iso-8859-13": "04ebf4cb1a69895872f53049df26d996",
    "iso-8859-14": "cee631c04669dc16f631f6f46a7c4263",
    "iso-8859-15": "927d31db97b746a90962a99d61761f5e",
    "iso-8859-16": "1f320b23d1c2f2e88bfd18093799e94a",
    "koi8-r": "cac1fa26675287c70916dc5bd84ed474",
    "koi8-u": "370c11ff74c596b6a44e23767b2990ec",
    "macintosh": "c11ce880eeb490e1124148266a6f6b75",
    "windows-874": "70ba13e685122fe90df960429aa21d7f",
    "windows-1250": "034bd5d81c6ec54f7e2da3f12c4e494a",
    "windows-1251": "52744c051283da39cb04bd7dee6bd2b6",
    "windows-1252": "08aaed4c720937acb0318c4798f2bc10",
    "windows-1253": "dffe44da63dfe4036a0e0c067aff0ee2",
    "windows-1254": "f3dd1e64822a3ac3794db2fec3312ca5",
    "windows-1255": "f254a5e79e38126baf5fb6ad83061b30",
    "windows-1256": "ad8d83bca76202d1e06cf7eeb3ceeb18",
    "windows-1257": "faec1dc1a55997c678c9bf58989416bd",
    "windows-1258": "e0204f789f805a696a26a3a6a1b0d03e",
    "x-mac-cyrillic": "8aae01a10403cba82cb99e93d9ce8cb6",
    "gbk": "463bf1a36f71603bd3736b00e93706c1",
    "gb18030": "b7c4747c1307f58eb606860097256e88",
    "big5": "71b264eff84ff5fafcf47e3310720e4d",
    "euc-jp": "994208f20fdfcee88037c6952c6a9662",
    "iso-2022-jp": "e979c1eb882c675834d0abdba4c0fbb6",
    "shift_jis": "8b0c02244865ef668b8faeb6281b860a",
    "euc-kr": "80e0302567651fca33f3b5acd8efc64d",
    "utf-16be": "480aa47a3019a64fe53f85f3f6a945ce",
    "utf-16le": "57c9cc96b8414e60360a0c642cf56099",
    "x-user-defined": "1d9e89c6e0406c17c99451635f1bfee0",
}


def test_each_encoding_is_the_standards() -> None:
    """Every sequence, bytes without any order, every character of a query: as another implementation has them."""
    query = standard.query()

    told = {
        encoding: standard.digest(
            text(standard.sequences(encoding), encoding),
            text(standard.hostile(encoding), encoding),
            "" if encoding in standard.NO_ENCODER else percent_encoded(query, encoding),
        )
        for encoding in DIGESTS
    }

    assert told == DIGESTS
    assert {*DIGESTS} == {*ENCODINGS} - standard.UNASKED


@pytest.mark.skipif(not standard.IS_HERE, reason="npm's @exodus/bytes is not in output/node_modules, or Node is absent")
def test_the_digests_are_those_of_the_other_implementation() -> None:
    """They are facts about the standard and not about this package."""
    assert standard.digests([*DIGESTS]) == DIGESTS


def test_there_are_228_labels_of_40_encodings() -> None:
    """Encoding, 4.2; each name is a label of its own."""
    assert (len(LABELS), len(ENCODINGS)) == (228, 40)
    assert all(LABELS[name] == name for name in ENCODINGS)
    assert all(label == label.strip().lower() for label in LABELS)


@pytest.mark.parametrize("name", ["punycode", "rot13", "latin1", "UTF-8", "idna", "cp037", ""])
def test_no_other_codec_can_be_reached(name: str) -> None:
    """Some of Python's take quadratic time, and a label is no name."""
    with pytest.raises(LookupError):
        text(b"abc", name)


MEANINGS = [
    # index jis0208 has the rows of NEC and IBM, and the symbols of Windows
    ("euc-jp", b"\xad\xa1", "\u2460"),
    ("euc-jp", b"\xfc\xfe", "\uff02"),
    ("euc-jp", b"\xa1\xc1", "\uff5e"),
    ("euc-jp", b"\x8f\xa2\xb7", "\uff5e"),
    ("euc-jp", b"~\x8f\xa2\xb7~", "~\uff5e~"),
    ("euc-jp", b"\x8e\xb1", "\uff71"),
    ("shift_jis", b"\x87\x40", "\u2460"),
    ("shift_jis", b"\xf0\x40\xf9\xfc", "\ue000\ue757"),  # the user's own characters
    ("shift_jis", b"\x80\\~", "\x80\\~"),
    ("shift_jis", b"\xa0\xfd\xfe\xff", "\ufffd" * 4),
    # Big5 with HKSCS, four of whose characters are two code points
    ("big5", b"\x88\x62\x88\x64\x88\xa3\x88\xa5", "\u00ca\u0304\u00ca\u030c\u00ea\u0304\u00ea\u030c"),
    ("big5", b"\x87\x7a", "\u3875"),
    ("big5", b"\xa1\xfe\xa2\x41", "\uff0f\u2215"),
    ("big5", b"\xa1\x45\xa3\xe1", "\u2027\u20ac"),
    # gb18030, with the characters of 2022
    ("gbk", b"\x80\xa3\xa0", "\u20ac\u3000"),
    ("gb18030", b"\xa6\xd9\x84\x31\x82\x36", "\ufe10\ufe10"),
    ("gb18030", b"\xa8\xbc\x81\x35\xf4\x37", "\u1e3f\ue7c7"),
    ("gb18030", b"\x90\x30\x81\x30\xe3\x32\x9a\x35", "\U00010000\U0010ffff"),
    ("gb18030", b"\x84\x31\xa4\x39\x84\x31\xa5\x30", "\uffff\ufffd"),
    ("euc-kr", b"\x81\x41\xc6\x52\xc6\x53", "\uac02\ud7a3\ufffdS"),
    ("iso-2022-jp", b"\x1b$B!A-!\x1b(J\\~\x1b(I1\x1b(B~", "\uff5e\u2460\u00a5\u203e\uff71~"),
    ("koi8-u", b"\xae\xbe", "\u045e\u040e"),
    ("windows-1255", b"\xca", "\u05ba"),
    ("windows-874", b"\x80\x81\xdb", "\u20ac\x81\ufffd"),
    ("macintosh", b"\xdb\xf0", "\u20ac\uf8ff"),
    ("x-mac-cyrillic", b"\xa2\xff", "\u0490\u20ac"),
    ("iso-8859-8-i", b"\xe0\xa1", "\u05d0\ufffd"),
    ("x-user-defined", b"\x80\xff", "\uf780\uf7ff"),
]

ERRORS = [
    # of a lead byte and an ASCII byte that do not belong together the ASCII byte is kept
    ("shift_jis", b"\x81<b>", "\ufffd<b>"),
    ("euc-jp", b"\xa4<b>", "\ufffd<b>"),
    ("euc-jp", b"\x8f\xa1<b>", "\ufffd<b>"),
    ("euc-kr", b"\xb0\x22>", '\ufffd">'),
    ("big5", b"\xa4<b>", "\ufffd<b>"),
    ("gbk", b"\xb0<b>", "\ufffd<b>"),
    # another byte is lost with it
    ("euc-jp", b"\xa4\xff<", "\ufffd<"),
    ("big5", b"\xa4\x80<", "\ufffd<"),
    # four bytes
    ("gb18030", b"\x81\x30<", "\ufffd0<"),
    ("gb18030", b"\x81\x30\x81<", "\ufffd0\ufffd<"),
    ("gb18030", b"\xe3\x32\x9a\x36", "\ufffd"),  # no such character
    # the end of a text within a character is one error
    ("gb18030", b"\x81", "\ufffd"),
    ("gb18030", b"\x81\x30", "\ufffd"),
    ("gb18030", b"\x81\x30\x81", "\ufffd"),
    ("gb18030", b"A0\x81\x30", "A0\ufffd"),
    ("euc-jp", b"\x8f\xa1", "\ufffd"),
    ("shift_jis", b"\x81", "\ufffd"),
    ("utf-16le", b"\x00\xd8\x41", "\ufffd"),
    ("utf-16be", b"\xd8\x00\x00\x41", "\ufffdA"),
    ("utf-16le", b"a\x00\xff", "a\ufffd"),
    # escape sequences
    ("iso-2022-jp", b"\x1b$B\x1b(B", "\ufffd"),  # one behind another
    ("iso-2022-jp", b"\x1b(Xa", "\ufffd(Xa"),
    ("iso-2022-jp", b"\x1b$B!\x1b(Ba", "\ufffda"),
    ("iso-2022-jp", b"\x1b$B!", "\ufffd"),
    ("iso-2022-jp", b"a\x1b", "a\ufffd"),
    ("iso-2022-jp", b"\x0e\x0f\xa4", "\ufffd\ufffd\ufffd"),
    ("replacement", b"<a href=x>", "\ufffd"),
    ("replacement", b"", ""),
]


@pytest.mark.parametrize(("encoding", "body", "right"), MEANINGS + ERRORS)
def test_bytes_mean_what_the_standard_says(encoding: str, body: bytes, right: str) -> None:
    """Facts of the indexes in which other tables differ, and what the decoders do with errors."""
    assert text(body, encoding) == right


def index(encoding: str, cells: int, first: int, lead: int) -> bytewise.Index:
    """The standard's index by pointers, from pairs of an encoding whose trail bytes follow each other."""

    def code_point(pointer: int) -> str | None:
        row, cell = divmod(pointer, cells)
        trail = first + cell
        if encoding == "big5":
            trail += 0x22 * (trail > 0x7E)
        elif encoding in {"gb18030", "shift_jis"}:
            trail += trail > 0x7E
        found = multibyte.sequence(bytes((lead + row, trail)), encoding)
        return None if found.startswith("\ufffd") else found

    return code_point


def jis0208(pointer: int) -> str | None:
    """Up to the end of EUC-JP's 94 rows by that encoding, and beyond by Shift_JIS."""
    if pointer < 94 * 94:
        return index("euc-jp", 94, 0xA1, 0xA1)(pointer)
    return index("shift_jis", 188, 0x40, 0xC1)(pointer)


def jis0212(pointer: int) -> str | None:
    """Behind the byte 8F."""
    found = multibyte.sequence(bytes((0x8F, 0xA1 + pointer // 94, 0xA1 + pointer % 94)), "euc-jp")
    return None if found.startswith("\ufffd") else found


def ranges(pointer: int) -> str | None:
    """Return the meaning of four bytes."""
    first, rest = divmod(pointer, 12600)
    second, rest = divmod(rest, 1260)
    third, fourth = divmod(rest, 10)
    found = multibyte.sequence(bytes((0x81 + first, 0x30 + second, 0x81 + third, 0x30 + fourth)), "gb18030")
    return None if found == "\ufffd" else found


INDEXES = {
    "big5": index("big5", 157, 0x40, 0x81),
    "euc-kr": index("euc-kr", 190, 0x41, 0x81),
    "gb18030": index("gb18030", 190, 0x40, 0x81),
    "gb18030-ranges": ranges,
    "jis0208": jis0208,
    "jis0212": jis0212,
}
BYTES = st.lists(st.sampled_from([*b"\x1b$(BJI@0A<~", *range(0x7E, 0x100)]), max_size=600).map(bytes) | st.binary(
    max_size=60
)


@given(BYTES, st.sampled_from(sorted(bytewise.DECODERS)))
@example(b"\x81\x30\xff" * 300, "gb18030")
@example(b"\x81\x30\x81" * 86, "gb18030")
@example((b"\xa4" + b"\x81\x30" * 300), "gb18030")
@example(b"\xa2\x41" * 300, "big5")
def test_decoding_is_the_standards_byte_by_byte(body: bytes, encoding: str) -> None:
    """The standard's state machines, written out, give the same for any bytes."""
    unmarked = body.removeprefix(codecs.BOM_UTF16_LE if encoding == "utf-16le" else codecs.BOM_UTF16_BE)
    body = unmarked if encoding.startswith("utf-16") else body

    assert text(body, encoding) == bytewise.DECODERS[encoding](INDEXES).decode(body)


QUERIES = [
    ("shift_jis", "\u8868", "%95\\"),
    ("shift_jis", "\u00a5\u203e\u2212\uff71\x80", "\\~%81|%B1%80"),
    ("shift_jis", "\u7e8a\u2252", "%FA\\%81%E0"),  # IBM's row and not NEC's; the first of two
    ("shift_jis", "\ue000", "%26%2357344%3B"),
    ("euc-jp", "\u2460\uff71\u2212", "%AD%A1%8E%B1%A1%DD"),
    ("euc-jp", "\u4e02", "%26%2319970%3B"),  # of JIS X 0212, which is only decoded
    ("iso-2022-jp", "a=\u3042b", "a=%1B$B$%22%1B(Bb"),
    ("iso-2022-jp", "\u00a5a\\", "%1B(J\\a%1B(B\\"),
    ("iso-2022-jp", "\u3042\u00e9\uff71", "%1B$B$%22%1B(B%26%23233%3B%1B$B%%22%1B(B"),
    ("iso-2022-jp", "\x1b", "%26%2365533%3B"),
    ("big5", "\u5341\u2550\u3875", "%A4Q%F9%F9%26%2314453%3B"),  # the last of some, and none of HKSCS
    ("gbk", "\u20ac\u1e3f\ue5e5\u00c0", "%80%A8%BC%26%2358853%3B%26%23192%3B"),
    ("gb18030", "\u20ac\ue78d\ue7c7\u00c0", "%A2%E3%A6%D9%815%F47%810%868"),
    ("euc-kr", "\uac00", "%B0%A1"),
    ("windows-1252", "\u00e9\u0436&", "%E9%26%231078%3B&"),
    ("x-user-defined", "\uf7ff\u00e9", "%FF%26%23233%3B"),
    ("utf-16le", "\u00e9", "%C3%A9"),
    ("replacement", "\u00e9", "%C3%A9"),
    ("koi8-r", "\u0430\n\t\u0431", "%C1%C2"),
]


@pytest.mark.parametrize(("encoding", "query", "right"), QUERIES)
def test_the_query_of_a_link_is_in_the_pages_encoding(encoding: str, query: str, right: str) -> None:
    """URL standard, "percent-encode after encoding"; trail bytes that are ASCII stay as they are."""
    assert percent_encoded(query, encoding) == right


def test_python_still_has_other_tables() -> None:
    """Red once Python agrees with the standard: then a table of ours can go."""
    assert b"\xad\xa1".decode("euc_jp", "replace") != "\u2460"
    assert b"\xa1\x45".decode("big5hkscs") != "\u2027"
    assert b"\xa6\xd9".decode("gb18030") != "\ufe10"
    assert b"\xae".decode("koi8-u") != single_byte("koi8-u")[0xAE]
    assert b"\xca".decode("cp1255", "replace") != single_byte("windows-1255")[0xCA]
