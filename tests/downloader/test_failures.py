"""downloader.failures: every foreign error becomes a FetchError with a reason."""

import errno
import ssl

import pytest

from crawler.core.reasons import Reason
from crawler.downloader.failures import FOREIGN, dial_error, proxy_error, reach_error
from crawler.downloader.proxy import proxy_from


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ECONNREFUSED, "text"), Reason.CONNECT_REFUSED),
        (OSError(errno.ETIMEDOUT, "text"), Reason.CONNECT_TIMEOUT),
        (OSError(errno.EHOSTUNREACH, "text"), Reason.CONNECT_FAILED),
        (OSError(errno.EPERM, "text"), Reason.CONNECT_FAILED),
        (OSError(errno.EACCES, "10.0.0.1 is private"), Reason.BLOCKED_ADDRESS),
        *((OSError(number, "text"), Reason.CLIENT_LIMIT) for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)),
        *((OSError(number, "text"), Reason.CLIENT_LIMIT) for number in (errno.EADDRNOTAVAIL, errno.ENOBUFS)),
        (ConnectionAbortedError("SSL handshake is taking longer than 60.0 seconds"), Reason.CONNECT_FAILED),
        (ssl.SSLError(1, "wrong version number"), Reason.TLS_FAILED),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_failed_dial_has_a_reason(error: OSError, reason: Reason) -> None:
    """The class or number decides; behind a proxy it is the proxy that failed, unless this machine did."""
    is_ours = reason is Reason.CLIENT_LIMIT
    assert dial_error(error, "host:80").reason == reason
    proxy = proxy_from("http://proxy.example", "--proxy")
    assert proxy_error(error, proxy).reason == (reason if is_ours else Reason.PROXY_FAILED)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EMFILE, "Too many open files"), Reason.CLIENT_LIMIT),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Reason.CONNECTION_LOST),
        (BrokenPipeError(errno.EPIPE, "pipe"), Reason.CONNECTION_LOST),
        (EOFError(), Reason.CONNECTION_LOST),
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
    message = str(reach_error(ValueError("\x1b[2J\u202e" + "x" * 9999), "host:80"))

    assert message.isprintable()
    assert len(message) < 400


def test_the_sentence_of_the_policy_is_the_message() -> None:
    """The error for a refused address says what to do."""
    assert str(dial_error(OSError(errno.EACCES, "use --allow-net"), "host:80")) == "use --allow-net"
