"""http.lines: the lines of a body that flows."""

import re
from codecs import getincrementaldecoder

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.http.lines import LineReader

TEXTS = st.text(st.sampled_from("a\n\r\ré\u2028\x0b\x0c\x85 "))


def _reader(charset: str = "utf-8", limit: int = 1000) -> LineReader:
    return LineReader(getincrementaldecoder(charset)("replace"), limit)


@given(text=TEXTS, size=st.integers(1, 5), charset=st.sampled_from(["utf-8", "utf-16", "gb18030"]))
def test_lines_are_the_same_in_pieces_of_any_size(text: str, size: int, charset: str) -> None:
    """They are split at LF, CR and CRLF, also where a piece ends between the two or within a letter."""
    body = text.encode(charset)
    reader = _reader(charset)

    lines = [line for at in range(0, len(body), size) for line in reader.feed(body[at : at + size])]

    wanted = re.split("\r\n|\r|\n", text)
    assert lines + reader.finish() == (wanted if wanted[-1] else wanted[:-1])


def test_a_line_does_not_wait_for_the_next_piece() -> None:
    """A CR ends it, and a LF that follows later begins no other."""
    reader = _reader()

    assert [reader.feed(piece) for piece in (b"a\r", b"\n", b"b\r\r", b"\nc")] == [["a"], [], ["b", ""], []]
    assert (reader.finish(), reader.finish()) == (["c"], [])


def test_a_letter_that_is_cut_off_is_replaced() -> None:
    """The end of the body tells that the rest of it will not come."""
    reader = _reader()

    assert reader.feed(b"a\xc3") == []
    assert reader.finish() == ["a\ufffd"]


@pytest.mark.parametrize("tail", [b"x" * 11, b"x" * 11 + b"\nlost"])
def test_a_line_beyond_the_limit_is_an_error_behind_the_lines_before(tail: bytes) -> None:
    """Lines that were complete are not lost, and each later call raises."""
    reader = _reader(limit=10)

    assert reader.feed(b"ok\n" + tail) == ["ok"]
    with pytest.raises(FetchError, match="longer than 10 characters") as caught:
        reader.feed(b"more\n")
    assert caught.value.reason is Reason.BODY_LIMIT
    with pytest.raises(FetchError, match="longer"):
        reader.finish()


def test_a_line_that_grows_beyond_the_limit_is_an_error_at_once() -> None:
    """No number of small pieces fills the memory."""
    reader = _reader(limit=10)
    for _ in range(10):
        assert reader.feed(b"x") == []

    with pytest.raises(FetchError, match="longer than 10 characters"):
        reader.feed(b"x")


def test_a_line_of_exactly_the_limit_is_taken() -> None:
    """Its end does not count, and neither does the length of a piece with many lines."""
    reader = _reader(limit=3)

    assert reader.feed(b"abc\r\nabc\nabc") == ["abc", "abc"]
    assert reader.finish() == ["abc"]
