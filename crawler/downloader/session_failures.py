"""The gate for the exceptions of aiohttp's client: each becomes a `FetchError` with a reason.

Rules
- The first class of the table that fits decides; a narrower one stands above a wider one.
- Failed dials are those of sockets and TLS (`failures.py`), which aiohttp wraps.
- The text of an error of aiohttp's is never told, nor is the error a cause: it may hold the URL of a proxy, with its
  password.
Runs on: the event loop.
"""

import os
import socket

import aiohttp

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.downloader.failures import FOREIGN, dial_error, reach_error

ERRORS = (aiohttp.ClientError, *FOREIGN)
"""All that a session can raise."""

_TABLE: tuple[tuple[type[Exception], Reason, str], ...] = (
    (aiohttp.ConnectionTimeoutError, Reason.CONNECT_TIMEOUT, "no connection to {} in time"),
    (aiohttp.ServerTimeoutError, Reason.IDLE_TIMEOUT, "{} was silent for too long"),
    (TimeoutError, Reason.TOTAL_TIMEOUT, "the fetch from {} took too long"),
    (aiohttp.ClientProxyConnectionError, Reason.PROXY_FAILED, "the proxy did not connect to {}"),
    (aiohttp.ClientHttpProxyError, Reason.PROXY_FAILED, "the proxy did not connect to {}"),
    (aiohttp.ClientPayloadError, Reason.TRUNCATED, "the body of {} ends too early"),
    (aiohttp.ClientResponseError, Reason.PROTOCOL_ERROR, "{} sent no valid HTTP"),
    (aiohttp.ClientConnectionError, Reason.CONNECTION_LOST, "{} closed the connection without an answer"),
    (aiohttp.ClientError, Reason.CONNECT_FAILED, "{} could not be asked"),
)


def session_error(error: Exception, where: str) -> FetchError:
    """Return the `FetchError` for what a session raised in a fetch from `where`, a host and port."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        is_temporary = error.os_error.errno == socket.EAI_AGAIN
        return _told(Reason.DNS_TEMPORARY if is_temporary else Reason.DNS_NOT_FOUND, "{} was not found", error, where)
    if (dial := _dial(error)) is not None:
        return dial_error(dial, where)
    for kind, reason, sentence in _TABLE:
        if isinstance(error, kind):
            return _told(reason, sentence, error, where)
    return reach_error(error, where)


def _dial(error: Exception) -> OSError | None:
    """Return what the socket or TLS raised in a dial that failed."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error if isinstance(error.certificate_error, OSError) else None
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientProxyConnectionError):
        return error.os_error
    return None


def _told(reason: Reason, sentence: str, error: Exception, where: str) -> FetchError:
    said = safe(_words(error), 200)
    return FetchError(reason, sentence.format(where) + (f": {said}" if said else ""))


def _words(error: Exception) -> str:
    """Return the part of an error that tells why, and no secret."""
    said: str | None = None
    if isinstance(error, aiohttp.ClientConnectorError):
        said = error.os_error.strerror
    elif isinstance(error, aiohttp.ClientOSError):
        said = os.strerror(error.errno) if error.errno else None
    elif isinstance(error, aiohttp.ClientResponseError):
        said = error.message
    elif not isinstance(error, aiohttp.ClientError):
        return str(error)
    return said or type(error).__name__
