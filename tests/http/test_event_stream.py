"""http.event_stream: server-sent events as the HTML standard reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.http.event_stream import EventStreamReader, ServerSentEvent

Event = ServerSentEvent


def _read(stream: bytes, reader: EventStreamReader | None = None) -> list[ServerSentEvent]:
    return list((reader or EventStreamReader()).feed(stream))


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

    events = _read(b"id: 7\n\ndata: a\n\nid: 8\0\ndata: b\n\nid: 9\ndata: c\n\nid\ndata: d\n\nid: 10\n", reader)

    assert [event.id for event in events] == ["7", "7", "9", ""]
    assert reader.last_id == ""
    assert (_read(b"\n", reader), reader.last_id) == ([], "10")


def test_the_last_id_is_that_of_the_event_that_was_given() -> None:
    """A reader that connects again in the middle of a piece gets the events behind it once more; the id sent stays."""
    reader = EventStreamReader("5")

    events = reader.feed(b"data: a\n\nid: 6\ndata: b\n\nid: 7\n\n")

    assert (reader.last_id, next(events).id, reader.last_id) == ("5", "5", "5")
    assert (next(events).id, reader.last_id) == ("6", "6")
    assert (list(events), reader.last_id) == ([], "7")


@pytest.mark.parametrize("value", ["", "-1", "1.5", "1s", "\u0661", "9" * 5000])
def test_a_retry_that_is_no_number_says_nothing(value: str) -> None:
    """Milliseconds are digits; the wait before them stays."""
    reader = EventStreamReader()

    events = _read(f"retry: 2500\n\nretry: {value}\ndata: a\n\n".encode(), reader)

    assert events == [Event(data="a", retry=2.5)]
    assert reader.retry == 2.5


def test_wrong_bytes_are_replaced_and_the_mark_is_left_out() -> None:
    """One byte order mark at the start, however it comes; a second one is part of a name."""
    reader = EventStreamReader()

    assert _read(b"\xef\xbb", reader) == _read(b"\xbfdata: a\xff\xc3\n", reader) == []
    assert _read(b"\n\xef\xbb\xbfdata: b\n\n", reader) == [Event(data="a\ufffd\ufffd")]


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

    assert _read(b"data: a\r\n\r", reader) == [Event(data="a")]
    assert _read(b"\ndata: b\r\r", reader) == [Event(data="b")]


@pytest.mark.parametrize("piece", [b"data: 012345678\n", b"x" * 17, b": " + b"x" * 17])
def test_an_event_beyond_the_limit_is_an_error_behind_the_events_before(piece: bytes) -> None:
    """Neither many lines of data nor one line without an end fill the memory."""
    reader = EventStreamReader(limit=16)

    events = reader.feed(b"data: a\n\n" + piece * 2)

    assert next(events) == Event(data="a")
    for rest in (events, reader.feed(b"\n\ndata: b\n\n")):
        with pytest.raises(FetchError, match="an event of it is longer than 16 bytes") as caught:
            next(rest)
        assert caught.value.reason is Reason.BODY_LIMIT


def test_comments_that_keep_a_connection_open_do_not_count() -> None:
    """A server may send them for days without an event."""
    reader = EventStreamReader(limit=16)

    assert _read(b": still here\n" * 1000 + b"data: a\n\n", reader) == [Event(data="a")]
