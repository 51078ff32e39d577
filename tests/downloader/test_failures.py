"""downloader.failures: every foreign error becomes a FetchError with a reason."""

import errno

import pytest
from aiohttp import ClientConnectorError, ClientPayloadError, ServerDisconnectedError
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong

from crawler.core.reasons import Reason
from crawler.downloader.failures import FOREIGN, reach_error

_KEY = ConnectionKey("h", 80, is_ssl=False, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)


def _dial(number: int, text: str = "text") -> ClientConnectorError:
    return ClientConnectorError(_KEY, OSError(number, text))


def _caused(cause: Exception) -> HttpProcessingError:
    error = HttpProcessingError()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (_dial(errno.ECONNREFUSED), Reason.CONNECT_REFUSED),
        (_dial(errno.ETIMEDOUT), Reason.CONNECT_TIMEOUT),
        (_dial(errno.EHOSTUNREACH), Reason.CONNECT_FAILED),
        (_dial(errno.EPERM), Reason.CONNECT_FAILED),
        (_dial(errno.EACCES, "10.0.0.1 is private"), Reason.BLOCKED_ADDRESS),
        *((_dial(number), Reason.CLIENT_LIMIT) for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)),
        *((_dial(number), Reason.CLIENT_LIMIT) for number in (errno.EADDRNOTAVAIL, errno.ENOBUFS)),
        (OSError(errno.EMFILE, "Too many open files"), Reason.CLIENT_LIMIT),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Reason.CONNECTION_LOST),
        (BrokenPipeError(errno.EPIPE, "pipe"), Reason.CONNECTION_LOST),
        (ServerDisconnectedError(), Reason.CONNECTION_LOST),
        (EOFError(), Reason.CONNECTION_LOST),
        (ClientPayloadError("short"), Reason.TRUNCATED),
        (_caused(LineTooLong(b"X", 1)), Reason.HEADER_LIMIT),
        (_caused(BadHttpMessage("Too many headers received")), Reason.HEADER_LIMIT),
        (_caused(BadHttpMessage("odd\n\n  b'x'\n  ^")), Reason.PROTOCOL_ERROR),
        (HttpProcessingError(), Reason.PROTOCOL_ERROR),
        (RuntimeError("uvloop says so"), Reason.CONNECT_FAILED),
        (ValueError("odd host"), Reason.CONNECT_FAILED),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_foreign_error_has_a_reason(error: Exception, reason: Reason) -> None:
    """The class or number decides, and nothing foreign is left."""
    assert isinstance(error, FOREIGN)

    assert reach_error(error, "host:80").reason == reason


def test_foreign_text_is_made_safe() -> None:
    """A server's text in a library's message can neither forge a line nor fill the screen."""
    message = str(reach_error(_caused(BadHttpMessage("\x1b[2J\u202e" + "x" * 9999)), "host:80"))

    assert message.isprintable()
    assert len(message) < 400


def test_the_sentence_of_the_policy_is_the_message() -> None:
    """The error for a refused address says what to do."""
    assert str(reach_error(_dial(errno.EACCES, "use --allow-net"), "host:80")) == "use --allow-net"
