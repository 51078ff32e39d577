"""load.answers and load.wire: whatever pieces an answer comes in, and whatever it is, it reads the same."""

from collections.abc import Iterator

import pytest

from crawler.core.errors import FetchError
from crawler.load.answers import MAX_HEAD, AnswerReader, KeepingReader
from crawler.load.wire import Exchange
from support.simulation import REQUEST, SECOND, connected

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\nTrailer: t\r\n\r\n"

# bytes, then: what it is (status, or the reason of its failure), keep-alive, surplus, at the end of the connection
ANSWERS: dict[str, tuple[bytes, object, bool, bool]] = {
    "length": (HELLO, 200, True, False),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", 200, True, False),
    "chunked": (CHUNKED, 200, True, False),
    "until the end": (OK + b"Content-Type: x\r\n\r\nhello", 200, False, False),
    "until the end, empty": (OK + b"\r\n", 200, False, False),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True, False),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, True, False),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, 200, True, False),
    "early hints, twice": (2 * b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + CHUNKED, 200, True, False),
    "close": (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", 200, False, False),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, False, False),
    "1.0 keep-alive": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, True, False),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, True, False),
    "error": (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", 503, True, False),
    "odd spacing": (OK + b"CONTENT-length:\t 5 \r\n\r\nhello", 200, True, False),
    "many headers": (OK + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(60)) + HELLO[17:], 200, True, False),
    "a head in the body": (OK + b"Content-Length: 45\r\n\r\n" + (HELLO + 9 * b"x")[:45], 200, True, False),
    "bytes behind": (HELLO + b"X", 200, True, True),
    "an answer behind": (HELLO + HELLO, 200, True, True),
    "an answer behind close": (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx" + HELLO, 200, False, True),
    "a body behind no content": (b"HTTP/1.1 204 No\r\n\r\nhello", 204, True, True),
    "a line end behind": (HELLO + b"\r\n", 200, True, False),
    "line ends before": (b"\r\n\r\n" + HELLO, 200, True, False),
    "cut in the status": (b"HTTP/1.1 2", "truncated", False, False),
    "cut in the head": (OK + b"Content-Le", "truncated", False, False),
    "cut in the body": (HELLO[:-1], "truncated", False, False),
    "cut in the chunks": (CHUNKED[:-20], "truncated", False, False),
    "cut before the last line": (CHUNKED[:-2], "truncated", False, False),
    "only continue": (b"HTTP/1.1 100 Continue\r\n\r\n", "truncated", False, False),
    "nothing": (b"", "connection_lost", False, False),
    "switching": (b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "protocol_error", False, False),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol_error", False, False),
    "an older protocol": (b"hello, I am HTTP/0.9", "protocol_error", False, False),
    "no version": (b"HTTP/x.y 200 OK\r\n\r\n", "protocol_error", False, False),
    "bare line ends": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "protocol_error", False, False),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "protocol_error", False, False),
    "no colon": (OK + b"nonsense\r\n\r\n", "protocol_error", False, False),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "protocol_error", False, False),
    "length and chunks": (
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "protocol_error", False, False,
    ),
    "a negative length": (OK + b"Content-Length: -5\r\n\r\n", "protocol_error", False, False),
    "a huge length": (OK + b"Content-Length: 99999999999999999999999\r\n\r\n", "protocol_error", False, False),
    "a bad chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "protocol_error", False, False),
    "a NUL": (OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n", "protocol_error", False, False),
}  # fmt: skip


def pieces(raw: bytes) -> Iterator[list[bytes]]:
    """The bytes whole, one by one, and split in two at every point."""
    yield [raw]
    yield [raw[at : at + 1] for at in range(len(raw))]
    yield from ([raw[:at], raw[at:]] for at in range(1, len(raw)))


def read(reader: AnswerReader, parts: list[bytes]) -> tuple[object, bool, bool]:
    """What the pieces, and then the end of the connection, come to."""
    try:
        for part in parts:
            reader.feed(part)
        reader.finish()
    except FetchError as error:
        return error.reason.value, False, False
    return reader.status, reader.keep_alive, reader.surplus


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_reads_the_same_in_whatever_pieces_it_comes(name: str) -> None:
    """Whole, byte by byte, and split at every point."""
    raw, *wanted = ANSWERS[name]

    results = {read(AnswerReader(), parts) for parts in pieces(raw)}

    assert results == {tuple(wanted)}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_reader_is_as_good_as_new_for_the_next_answer(name: str) -> None:
    """After a good answer that keeps the connection, the next one reads as on a new connection."""
    raw, *wanted = ANSWERS[name]
    reader = AnswerReader()
    reader.feed(HELLO)

    reader.begin()

    assert read(reader, [raw]) == tuple(wanted)


@pytest.mark.parametrize("head", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_an_answer_to_head_has_no_body(head: bytes) -> None:
    """Whatever its head announces, it ends with its head, in whatever pieces; and so does the next one."""
    raw = OK + head + b"\r\n"

    for parts in pieces(raw):
        reader = AnswerReader(bodiless=True)
        for _ in range(2):
            reader.begin()
            for part in parts:
                reader.feed(part)

            assert (reader.is_done, reader.status, reader.surplus) == (True, 200, False)


def test_a_body_is_kept_when_it_is_wanted() -> None:
    """Chunk framing is no part of it, in whatever pieces it comes."""
    for parts in pieces(CHUNKED):
        reader = KeepingReader()
        read(reader, parts)

        assert reader.body == b"helloyou"


def test_a_head_without_end_is_cut() -> None:
    """A server that never ends its head fails at the limit instead of filling the memory."""
    reader = AnswerReader()
    reader.feed(OK)

    line = b"X: " + 1000 * b"x" + b"\r\n"
    for _ in range((MAX_HEAD - len(OK)) // len(line)):
        reader.feed(line)

    with pytest.raises(FetchError, match="a head of more than"):
        reader.feed(line)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_fast_path_says_what_the_full_parser_says(name: str) -> None:
    """An answer to the second request of a connection, with every head known and with none, gives the same account."""
    raw, status, _, is_surplus = ANSWERS[name]

    accounts = []
    for is_known in (True, False):
        for parts in pieces(raw):
            pool, connection = connected(Exchange(request=REQUEST, timeout=SECOND))
            connection.data_received(HELLO)  # so that it is used
            if is_known:
                other, teacher = connected(Exchange(request=REQUEST, timeout=SECOND))
                teacher.data_received(HELLO)
                teacher.ask(2, 2)
                teacher.data_received(raw)
                pool.heads.update(other.heads)
            else:
                pool.heads.clear()
            connection.ask(2, 2)
            for part in parts:
                connection.data_received(part)
            connection.connection_lost(None)
            accounts.append(pool.account())
            if isinstance(status, int) and not is_surplus:
                assert pool.phase.bytes == len(HELLO) + len(raw)

    first = accounts[0]
    assert all(account == first for account in accounts)


def test_the_fast_path_is_taken() -> None:
    """An answer whose head was read before does not reach the parser."""
    pool, connection = connected(Exchange(request=REQUEST, timeout=SECOND))
    for _ in range(2):
        connection.data_received(HELLO)
        connection.ask(2, 2)
    reader = connection._reader
    assert reader is not None
    reader.status = 999

    connection.data_received(HELLO)

    assert reader.status == 999
    assert pool.account()["ok"] == 3


def test_a_known_head_with_another_body_is_read_in_full() -> None:
    """A head that was seen before is not believed for a piece that is shorter or longer than its answer."""
    pool, connection = connected(Exchange(request=REQUEST, timeout=SECOND))
    for _ in range(2):
        connection.data_received(HELLO)
        connection.ask(2, 2)

    connection.data_received(HELLO[:-2])

    assert connection.is_busy
    connection.data_received(HELLO[-2:])
    assert not connection.is_busy
    assert pool.account()["ok"] == 3


def test_half_a_head_is_no_answer_whatever_its_length() -> None:
    """The first bytes of a known head are not taken for its answer, although the lengths may agree."""
    size = len(OK) + len(b"Content-Length: 35") - 1
    raw = OK + b"Content-Length: %d\r\n\r\n" % size + size * b"x"
    pool, connection = connected(Exchange(request=REQUEST, timeout=SECOND))
    for _ in range(2):
        connection.data_received(raw)
        connection.ask(2, 2)

    for cut in range(1, len(raw)):
        connection.data_received(raw[:cut])
        assert connection.is_busy
        connection.data_received(raw[cut:])
        connection.ask(2, 2)

    assert pool.account()["failures"] == {}


def test_an_answer_that_comes_after_its_timeout_counts_once() -> None:
    """It timed out, and what the closed connection still delivers is nothing."""
    pool, connection = connected(Exchange(request=REQUEST, timeout=SECOND))
    for _ in range(2):
        connection.data_received(HELLO)
        connection.ask(2, 2)

    connection.expire(7)
    connection.data_received(HELLO)

    assert pool.phase.outcomes == {"ok": 2, "failed": 0, "timed_out": 1, "shed": 0, "in_flight": 0}


@pytest.mark.parametrize(
    ("exchange", "kind"),
    [
        (Exchange(request=REQUEST, statuses=frozenset({201})), "status_200"),
        (Exchange(request=REQUEST, body=b"goodbye"), "unexpected_body"),
    ],
)
def test_an_answer_that_is_not_the_expected_one_is_a_failure(exchange: Exchange, kind: str) -> None:
    """Every time, not only the first; and the connection goes on."""
    pool, connection = connected(exchange)
    for _ in range(3):
        connection.data_received(HELLO)
        connection.ask(2, 2)

    assert pool.account()["failures"] == {kind: 3}
    assert not connection.is_over
