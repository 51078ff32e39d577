"""load.wire: one connection of a load test. How answers are framed: tests/conformance/test_framing.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.histogram import FINE, bucket
from crawler.load.exchange import Exchange, KeepingReader
from crawler.load.nanoseconds import SECOND
from crawler.load.wire import Connection
from support.answers import CHUNKED, HELLO, OK, pieces
from support.simulation import REQUEST, Account, connected


def used(answer: bytes = HELLO) -> tuple[Account, Connection]:
    """A connection that has had this answer twice, and has its next request."""
    pool, connection = connected(Exchange(request=REQUEST, timeout=SECOND))
    for _ in range(2):
        connection.data_received(answer)
        connection.ask(2, 2)
    return pool, connection


def test_a_body_is_kept_when_it_is_wanted() -> None:
    """Chunk framing is no part of it, in whatever pieces it comes."""
    for parts in pieces(CHUNKED):
        reader = KeepingReader()
        for part in parts:
            reader.feed(part)

        assert reader.body == b"hello"


def test_the_fast_path_is_taken() -> None:
    """An answer whose head was read before does not reach the parser."""
    pool, connection = used()
    connection._reader = None

    connection.data_received(HELLO)

    assert connection._reader is None
    assert pool.account()["ok"] == 3


@given(st.integers(0, 10**13))
def test_the_fast_path_counts_a_time_in_its_bucket(took: int) -> None:
    """The bucket that the fast path computes by hand is that of `core.histogram`, from nothing to hours."""
    pool, connection = used()
    pool.phase.reused.whole.clear()
    pool.now = lambda: 2 + took

    connection.data_received(HELLO)

    assert pool.phase.reused.whole == {bucket(took, FINE): 1}


def test_a_known_head_with_another_body_is_read_in_full() -> None:
    """A head that was seen before is not believed for a piece that is shorter or longer than its answer."""
    pool, connection = used()

    connection.data_received(HELLO[:-2])

    assert connection.is_busy
    connection.data_received(HELLO[-2:])
    assert not connection.is_busy
    assert pool.account()["ok"] == 3


def test_half_a_head_is_no_answer_whatever_its_length() -> None:
    """The first bytes of a known head are not taken for its answer, although the lengths may agree."""
    size = len(OK) + len(b"Content-Length: 35") - 1
    raw = OK + b"Content-Length: %d\r\n\r\n" % size + size * b"x"
    pool, connection = used(raw)

    for cut in range(1, len(raw)):
        connection.data_received(raw[:cut])
        assert connection.is_busy
        connection.data_received(raw[cut:])
        connection.ask(2, 2)

    assert pool.account()["failures"] == {}


def test_an_answer_that_comes_after_its_timeout_counts_once() -> None:
    """It timed out, and what the closed connection still delivers is nothing."""
    pool, connection = used()

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
