"""The one gate for exceptions of aiohttp, TLS and the operating system: each becomes a `FetchError` with a reason.

Rules
- The class of an exception decides, never its wording, except where a library has only words.
- A message says what happened or what to do; text of a server or library in it is cut and escaped.
- Running out of files, ports or memory is this machine's fault, and must not count against a host.
Runs on: the event loop.
"""

import errno
import os
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientHttpProxyError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ServerDisconnectedError,
)
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong

from crawler.core.errors import FetchError
from crawler.core.network_errors import certificate_reason, connect_reason
from crawler.core.reasons import Reason
from crawler.core.text import safe

FOREIGN = (ClientError, HttpProcessingError, OSError, EOFError, ValueError, RuntimeError)
"""All that a fetch can raise besides `FetchError`: aiohttp's, the system's, and uvloop's RuntimeError for a socket."""


def reach_error(error: Exception, where: str) -> FetchError:
    """Return the `FetchError` for a foreign error of a fetch from `where`, a host and port."""
    return next(make(error, where) for kinds, make in _MEANINGS if isinstance(error, kinds))


def our_limit(error: OSError) -> FetchError:
    """Return the error of a machine that ran out of files, ports or memory."""
    advice = "lower --concurrency or raise the limit of open files (ulimit -n)"
    return FetchError(Reason.CLIENT_LIMIT, f"this machine ran out of something: {_said(error)}; {advice}")


def _said(error: BaseException) -> str:
    return safe(str(error) or type(error).__name__, 200)


def _proxy_error(error: Exception, where: str) -> FetchError:
    return FetchError(Reason.PROXY_FAILED, f"the proxy did not connect to {where}: {_said(error)}")


def _system_error(error: OSError, where: str) -> FetchError:
    return our_limit(error) if connect_reason(error.errno) is Reason.CLIENT_LIMIT else _lost(error, where)


def _lost(error: Exception, where: str) -> FetchError:
    return FetchError(Reason.CONNECTION_LOST, f"{where} closed the connection without an answer: {_said(error)}")


def _dial_error(refused: ClientConnectorError, where: str) -> FetchError:
    error = refused.os_error
    if error.errno == errno.EACCES:  # `socket_factory`, with the sentence of the address policy
        return FetchError(Reason.BLOCKED_ADDRESS, safe(error.strerror or str(error)))
    reason = connect_reason(error.errno)
    if reason is Reason.CLIENT_LIMIT:
        return our_limit(error)
    said = os.strerror(error.errno) if error.errno else _said(error)
    sentences = {
        Reason.CONNECT_REFUSED: f"nothing listens at {where}",
        Reason.CONNECT_TIMEOUT: f"{where} did not answer the dial",
    }
    return FetchError(reason, sentences.get(reason, f"no connection to {where}: {said}"))


def _certificate_error(error: ClientConnectorCertificateError, where: str) -> FetchError:
    cause = error.certificate_error
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return FetchError(Reason.TLS_HOSTNAME, f"the certificate of {where} is for another host: {_said(cause)}")
    reason = certificate_reason(cause.verify_code)
    said = safe(cause.verify_message, 200)
    sentences = {
        Reason.TLS_EXPIRED: f"is out of date: {said}",
        Reason.TLS_HOSTNAME: f"is for another host: {said}",
        Reason.TLS_UNTRUSTED: f"is not trusted: {said}; --ca-file names whom to trust",
    }
    return FetchError(reason, f"the certificate of {where} {sentences[reason]}")


def _tls_error(error: ClientConnectorSSLError, where: str) -> FetchError:
    return FetchError(Reason.TLS_FAILED, f"no TLS with {where}: {_said(error.os_error)}")


def _parse_error(error: HttpProcessingError, where: str) -> FetchError:
    cause = error.__cause__ or error
    if isinstance(cause, LineTooLong):
        return FetchError(Reason.HEADER_LIMIT, "a line of the response's head is too long")
    if isinstance(cause, BadHttpMessage) and cause.message.startswith("Too many headers"):
        return FetchError(Reason.HEADER_LIMIT, "the response has too many headers")
    first_line = str(getattr(cause, "message", cause)).partition("\n")[0].rstrip(":")
    return FetchError(Reason.PROTOCOL_ERROR, f"the answer of {where} is no HTTP/1.1: {safe(first_line, 200)}")


def _body_error(error: ClientPayloadError, _where: str) -> FetchError:
    return FetchError(Reason.TRUNCATED, f"the body ends too early: {_said(error)}")


def _other_error(error: Exception, where: str) -> FetchError:
    return FetchError(Reason.CONNECT_FAILED, f"{where} could not be asked: {_said(error)}")


# The first row that fits decides; the narrower class stands above.
_MEANINGS: tuple[tuple[Any, Callable[[Any, str], FetchError]], ...] = (
    ((ClientProxyConnectionError, ClientHttpProxyError), _proxy_error),
    (ClientConnectorCertificateError, _certificate_error),
    (ClientConnectorSSLError, _tls_error),
    (ClientConnectorError, _dial_error),
    (HttpProcessingError, _parse_error),
    (ClientPayloadError, _body_error),
    (ServerDisconnectedError, _lost),
    (OSError, _system_error),
    (EOFError, _lost),
    (Exception, _other_error),
)
