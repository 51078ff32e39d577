"""encoding.incremental: text in pieces reads as the whole text does."""

import pytest

from crawler.encoding import decode
from crawler.encoding.incremental import decoder_of

LINES = "\u043f\u0440\u0438\u0432\u0435\u0442\n\u65e5\u672c\r\nlast"


@pytest.mark.parametrize(
    ("charset", "content", "encoding"),
    [
        ("utf-8", LINES.encode(), "utf-8"),
        ("", b"\xef\xbb\xbf" + LINES.encode(), "utf-8"),
        ("koi8-r", b"\xff\xfe" + LINES.encode("utf-16-le"), "utf-16le"),
        ("shift_jis", LINES.encode("cp932"), "shift_jis"),
        ("gbk", LINES.encode("gb18030") + b"\x81", "gbk"),
        ("iso-2022-jp", "\u65e5\u672c\n\u65e5".encode("iso2022_jp"), "iso-2022-jp"),
        ("windows-1251", b"\xef\n\xf0", "windows-1251"),
        ("nonsense", b"\xef\xf0\n", "utf-8"),
    ],
)
def test_text_in_pieces_reads_as_the_whole(charset: str, content: bytes, encoding: str) -> None:
    """Byte by byte as well as at once; the encoding is that of the mark, of Content-Type, or UTF-8."""
    for size in (1, 2, 3, len(content)):
        head = content[: max(size, 3)]
        pieces = [head, *(content[at : at + size] for at in range(len(head), len(content), size))]
        decoder = decoder_of(f"text/plain; charset={charset}", head)
        text = "".join(decoder.decode(piece) for piece in pieces) + decoder.decode(b"", final=True)
        assert text == decode.text(content, encoding)
