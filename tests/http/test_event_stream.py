"""http.event_stream: server-sent events as the HTML standard reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.http.event_stream import EventStreamReader, ServerSentEvent

Event = ServerSentEvent


def _read(stream: bytes) -> list[ServerSentEvent]:
    return EventStreamReader().feed(stream)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event(data="YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [Event(data="first event", id="1"), Event(data="second event"), Event(data=" third event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [Event(data=""), Event(data="\n")]),
        (b"data:test\n\ndata: test\n\n", [Event(data="test"), Event(data="test")]),
        (
            b"event: add\ndata: 73857293\n\nevent: remove\n\ndata: 1\n\n",
            [Event(event="add", data="73857293"), Event(data="1")],
        ),
    ],
)
def test_the_examples_of_the_standard(stream: bytes, events: list[ServerSentEvent]) -> None:
    """Those of section 9.2.6, and of 9.2.5 for types."""
    assert _read(stream) == events


def test_fields_are_read_to_the_letter() -> None:
    """One space is left out; names have their case; other fields say nothing; an empty type is that of a message."""
    assert _read(b"Data: no\ndata : no\nfoo: no\ndata:\ta:b\nevent: x\nevent:\n\n") == [Event(data="\ta:b")]


def test_an_id_stays_until_the_next_one() -> None:
    """One with a zero byte is none, an empty one clears it; an event without data carries it, too."""
    reader = EventStreamReader()

    events = reader.feed(b"id: 7\n\ndata: a\n\nid: 8\0\ndata: b\n\nid: 9\ndata: c\n\nid\ndata: d\n\nid: 10\n")

    assert [event.id for event in events] == ["7", "7", "9", ""]
    assert reader.last_id == ""
    assert (reader.feed(b"\n"), reader.last_id) == ([], "10")


@pytest.mark.parametrize("value", ["", "-1", "1.5", "1s", "\u0661", "9" * 5000])
def test_a_retry_that_is_no_number_says_nothing(value: str) -> None:
    """Milliseconds are digits; the wait before them stays."""
    reader = EventStreamReader()

    events = reader.feed(f"retry: 2500\n\nretry: {value}\ndata: a\n\n".encode())

    assert events == [Event(data="a", retry=2.5)]
    assert reader.retry == 2.5


def test_wrong_bytes_are_replaced_and_the_mark_is_left_out() -> None:
    """One byte order mark at the start, however it comes; a second one is part of a name."""
    reader = EventStreamReader()

    assert reader.feed(b"\xef\xbb") == reader.feed(b"\xbfdata: a\xff\xc3\n") == []
    assert reader.feed(b"\n\xef\xbb\xbfdata: b\n\n") == [Event(data="a\ufffd\ufffd")]


@given(
    lines=st.lists(st.sampled_from(["", "data: ä", "data", "event: e", "id: 1", "retry: 5", ": c", "x"])),
    ends=st.lists(st.sampled_from(["\n", "\r", "\r\n"]), min_size=1),
    size=st.integers(1, 7),
)
def test_a_stream_is_the_same_with_any_ends_in_any_pieces(lines: list[str], ends: list[str], size: int) -> None:
    """LF, CR and CRLF may be mixed, and a piece may end anywhere."""
    mixed = "".join(line + ends[number % len(ends)] for number, line in enumerate(lines))
    # A LF behind a CR would be one end, not two.
    wanted = _read(("\n".join(mixed.replace("\r\n", "\n").replace("\r", "\n").split("\n"))).encode())
    stream, reader = mixed.encode(), EventStreamReader()

    found = [event for at in range(0, len(stream), size) for event in reader.feed(stream[at : at + size])]

    assert found == wanted


def test_an_event_comes_with_its_empty_line() -> None:
    """A stream that pauses behind CR holds nothing back."""
    reader = EventStreamReader()

    assert reader.feed(b"data: a\r\n\r") == [Event(data="a")]
    assert reader.feed(b"\ndata: b\r\r") == [Event(data="b")]


@pytest.mark.parametrize("piece", [b"data: 012345678\n", b"x" * 17, b": " + b"x" * 17])
def test_an_event_beyond_the_limit_is_an_error_behind_the_events_before(piece: bytes) -> None:
    """Neither many lines of data nor one line without an end fill the memory."""
    reader = EventStreamReader(limit=16)

    assert reader.feed(b"data: a\n\n" + piece * 2) == [Event(data="a")]
    for _ in range(2):
        with pytest.raises(FetchError, match="an event of it is longer than 16 bytes") as caught:
            reader.feed(b"\n\ndata: b\n\n")
        assert caught.value.reason is Reason.BODY_LIMIT


def test_comments_that_keep_a_connection_open_do_not_count() -> None:
    """A server may send them for days without an event."""
    reader = EventStreamReader(limit=16)

    assert reader.feed(b": still here\n" * 1000 + b"data: a\n\n") == [Event(data="a")]
