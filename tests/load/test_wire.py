"""load.wire: one connection of a load test. How answers are framed: tests/conformance/test_framing.py."""

import gzip
import ssl
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.histogram import FINE, bucket
from crawler.load.exchange import Exchange, KeepingReader, Request
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.wire import Connection
from support.answers import CHUNKED, HELLO, OK, pieces
from support.simulation import REQUEST, Account, connected


def used(answer: bytes = HELLO) -> tuple[Account, Connection]:
    """A connection that has had this answer twice, and has its next request."""
    pool, connection = connected(Exchange(request=REQUEST, timeout=10**14))
    for _ in range(2):
        connection.data_received(answer)
        connection.ask(connection.request, 2, 2)
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
        connection.ask(connection.request, 2, 2)

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
        connection.ask(connection.request, 2, 2)

    assert pool.account()["failures"] == {kind: 3}
    assert not connection.is_over


@pytest.mark.parametrize("is_known", [True, False])
def test_an_answer_after_the_timeout_is_a_timeout_although_no_timer_has_rung(*, is_known: bool) -> None:
    """Answers of 120 ms under a timeout of 100 ms are timeouts, whether the fast path or the parser reads them."""
    pool, connection = connected(Exchange(request=REQUEST, timeout=100 * MILLISECOND))
    for _ in range(2):
        connection.data_received(HELLO)
        connection.ask(connection.request, 7, 7)
    if not is_known:
        pool.heads.clear()
    pool.now = lambda: 7 + 120 * MILLISECOND

    connection.data_received(HELLO)

    assert pool.phase.outcomes == {"ok": 2, "failed": 0, "timed_out": 1, "shed": 0, "in_flight": 0}
    assert connection.is_over


@pytest.mark.parametrize("error", [None, ConnectionResetError(104, "reset")])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_kept_connection_that_ends_before_the_first_byte_is_asked_again(method: str, error: Exception | None) -> None:
    """An idempotent request is no failure of the server, which may close idle connections when it likes."""
    pool, connection = connected(Exchange(request=method.encode() + b" / HTTP/1.1\r\n\r\n"))
    connection.data_received(HELLO)
    connection.ask(connection.request, 2, 2)

    connection.connection_lost(error)

    assert pool.asked_again == 1
    assert pool.phase.outcomes["failed"] == 0
    assert connection.is_over


@pytest.mark.parametrize(("method", "before", "kind"), [("POST", 1, "connection_lost"), ("GET", 0, "connection_lost")])
def test_other_connections_that_end_without_an_answer_are_failures(method: str, before: int, kind: str) -> None:
    """A POST may have been carried out; and a new connection is closed for another cause than idleness."""
    pool, connection = connected(Exchange(request=method.encode() + b" / HTTP/1.1\r\n\r\n"))
    for _ in range(before):
        connection.data_received(HELLO)
        connection.ask(connection.request, 2, 2)

    connection.connection_lost(None)

    assert pool.asked_again == 0
    assert pool.account()["failures"] == {kind: 1}


def test_a_connection_that_ends_within_an_answer_is_a_failure() -> None:
    """The first byte has come, so the request was served."""
    pool, connection = used()

    connection.data_received(HELLO[:3])
    connection.connection_lost(None)

    assert pool.asked_again == 0
    assert pool.account()["failures"] == {"truncated": 1}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity", "br"])
def test_an_expected_body_is_looked_for_without_its_codings(coding: str) -> None:
    """The user thinks of the document, not of its compression."""
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes, "br": brotli.compress}[coding]
    body = pack(b"all is well here")
    head = OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body))
    pool, connection = connected(Exchange(request=REQUEST, body=b"is well"))

    connection.data_received(head + body)

    assert pool.phase.outcomes["ok"] == 1


def test_a_body_that_cannot_be_decoded_is_searched_as_it_came() -> None:
    """Damage is no crash."""
    pool, connection = connected(Exchange(request=REQUEST, body=b"is well"))

    connection.data_received(OK + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\nall is well!")

    assert pool.phase.outcomes["ok"] == 1


def test_an_answer_to_head_is_not_taken_for_one_to_get() -> None:
    """Equal heads are framed alike only under methods that frame alike."""
    pool, connection = connected(Exchange(request=REQUEST))
    head = HELLO[: HELLO.index(b"\r\n\r\n") + 4]
    bare = Request(b"HEAD / HTTP/1.1\r\n\r\n", bodiless=True)
    connection.data_received(HELLO)
    for _ in range(3):
        connection.ask(bare, 2, 2)
        connection.data_received(head)

    connection.ask(Request(REQUEST), 2, 2)
    connection.data_received(head)

    assert connection.is_busy
    connection.data_received(HELLO[len(head) :])
    assert pool.phase.ok == 5


@pytest.mark.parametrize("begun", [b"", HELLO[:9]])
def test_an_error_of_tls_is_called_one(begun: bytes) -> None:
    """Such as the alert of a server that asks for a certificate, which comes after the handshake in TLS 1.3."""
    pool, connection = used()
    if begun:
        connection.data_received(begun)

    connection.connection_lost(ssl.SSLError(1, "tlsv13 alert certificate required"))

    assert pool.account()["failures"] == {"tls_failed": 1}
    assert pool.asked_again == 0
