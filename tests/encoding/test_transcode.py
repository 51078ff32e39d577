"""A list in any Unicode encoding, with any line ends, becomes UTF-8 with line feeds."""

import codecs
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import UsageError
from crawler.encoding.transcode import HEAD, Transcoder

TEXT = "# Städte, города\nhttp://h/ä\n\nhttp://h/😀\r\nhttp://münchen.example/\n"
LETTERS = st.text(st.sampled_from("abhtp:/.\r\n\n\näя😀\u0a0d\u0d0a"), max_size=60)

MARKED = [
    pytest.param(codecs.BOM_UTF16_LE, "utf-16-le", id="UTF-16 as PowerShell's > writes it"),
    pytest.param(codecs.BOM_UTF16_BE, "utf-16-be", id="UTF-16, the other way round"),
    pytest.param(codecs.BOM_UTF32_LE, "utf-32-le", id="UTF-32"),
    pytest.param(codecs.BOM_UTF32_BE, "utf-32-be", id="UTF-32, the other way round"),
]


def transcoded(data: bytes, size: int = 1024) -> bytes:
    """The list after blocks of this size."""
    transcoder = Transcoder("list")
    parts = [transcoder.feed(data[start : start + size]) for start in range(0, len(data), size)]
    return b"".join([*parts, transcoder.finish()])


@pytest.mark.parametrize(("mark", "codec"), MARKED)
@pytest.mark.parametrize("size", [1, 3, 1_000_000])
def test_a_mark_names_the_encoding(mark: bytes, codec: str, size: int) -> None:
    """A byte order mark says what follows (Unicode, 23.8), wherever the blocks end."""
    assert transcoded(mark + TEXT.encode(codec), size).removeprefix(codecs.BOM_UTF8) == TEXT.encode()


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [TEXT, "http://h/", "h\n" * HEAD])
def test_zero_bytes_show_the_encoding_where_there_is_no_mark(codec: str, text: str) -> None:
    """URLs are ASCII, which has zero bytes in no encoding but these."""
    assert transcoded(text.encode(codec)) == text.encode()


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        b"http://h/a\r\nhttp://h/b\r\n",
        b"http://h/a\rb\nhttp://h/c\n",  # a stray one is no line end where others are
        b"http://h/\xe4\nhttp://h/\x00\n",
        b"\x00",
        b"",
        b"http://h/" + b"a" * HEAD + b"\r\n",
    ],
)
def test_what_is_utf_8_with_line_feeds_passes_as_it_is(data: bytes) -> None:
    """Byte for byte, what is not valid too: the line that holds it is rejected later."""
    assert transcoded(data) == data
    assert transcoded(data, 1) == data


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-be", "utf-32"])
def test_carriage_returns_alone_end_lines(codec: str) -> None:
    """The line ends of old Macs, under any encoding."""
    text = "http://h/ä\rhttp://h/b\r\rhttp://h/c"

    assert transcoded(text.encode(codec), 1).removeprefix(codecs.BOM_UTF8) == text.replace("\r", "\n").encode()


def test_a_line_feed_among_carriage_returns_changes_nothing() -> None:
    """An editor may have put it behind the last line; a few carriage returns among line feeds are no line ends."""
    assert transcoded(b"http://h/a\rhttp://h/b\rhttp://h/c\n") == b"http://h/a\nhttp://h/b\nhttp://h/c\n"
    assert transcoded(b"http://h/a\r\r\nhttp://h/b\r\r\n") == b"http://h/a\r\r\nhttp://h/b\r\r\n"


@pytest.mark.parametrize("lines", [1, 30, 3000])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_what_is_appended_in_another_encoding_leaves_the_beginning_as_it_is(codec: str, lines: int) -> None:
    """PowerShell's >> writes UTF-16 behind UTF-8, of whatever length, and each part keeps its bytes."""
    data = b"http://h/a\n" * 2 + ("http://h/b\r\n" * lines).encode(codec)

    assert transcoded(data) == data


def test_a_carriage_return_at_the_end_of_a_block_waits_for_a_line_feed() -> None:
    """Both are one line end, though the beginning had carriage returns alone."""
    data = b"http://h/a\r" * (HEAD // 11 + 1) + b"http://h/b\r\nhttp://h/c\r\n"

    assert transcoded(data, 1) == data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def test_bytes_that_are_not_utf_8_stay_where_carriage_returns_become_line_feeds() -> None:
    """The message about such a line shows what it holds."""
    assert transcoded(b"http://h/\xe4\rhttp://h/b\r") == b"http://h/\xe4\nhttp://h/b\n"


@pytest.mark.parametrize(
    "damaged",
    [
        "http://h/".encode("utf-16-le") + b"\x00\xd8" + "\nhttp://h/b\n".encode("utf-16-le"),  # half a pair
        "http://h/\ufffd\nhttp://h/b\n".encode("utf-16-le"),  # what an earlier program could not decode
        "http://h/b\nhttp://h/".encode("utf-16-le") + b"a",  # half a letter at the end
    ],
)
def test_what_cannot_be_decoded_is_no_utf_8_either(damaged: bytes) -> None:
    """So its line is rejected, and the others are read."""
    lines = transcoded(codecs.BOM_UTF16_LE + damaged).removeprefix(codecs.BOM_UTF8).splitlines()

    assert sorted(lines) == [b"http://h/b", b"http://h/\xff"]


@given(LETTERS, st.sampled_from(["utf-8", "utf-16", "utf-32"]), st.integers(1, 9))
def test_the_size_of_the_blocks_changes_nothing(text: str, codec: str, size: int) -> None:
    """The result is the same if a block ends within a letter or a line end."""
    data = text.encode(codec)

    assert transcoded(data, size) == transcoded(data, 1_000_000)


@pytest.mark.parametrize("head", [b"\x1f\x8b\x08", b"PK\x03\x04", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"BZh9"])
def test_a_packed_list_is_refused_with_the_command_that_unpacks_it(head: bytes) -> None:
    """Thousands of rejected lines would say less."""
    with pytest.raises(UsageError, match=r"list: packed with .* \| crawler fetch -` reads it"):
        transcoded(head + b"\x00" * 100)


def test_memory_is_bounded_by_the_beginning_and_the_block() -> None:
    """Sixteen megabytes in blocks of 64 KiB take one."""
    transcoder, block = Transcoder("list"), "http://h/ä\r".encode("utf-16-le") * 3000
    tracemalloc.start()
    for _ in range(250):
        transcoder.feed(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2_000_000
