"""The one gate for exceptions of sockets, TLS and the operating system: each becomes a `FetchError` with a reason.

Rules
- The class of an exception decides, never its wording, except where a library has only words.
- A message says what happened or what to do; text of a server or library in it is cut and escaped.
- Running out of files, ports or memory is this machine's fault, and must not count against a host.
Runs on: the event loop.
"""

import errno
import os
import ssl

from crawler.core.errors import FetchError
from crawler.core.network_errors import certificate_reason, connect_reason
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.downloader.proxy import Proxy

FOREIGN = (OSError, EOFError, ValueError, RuntimeError)
"""All that a fetch can raise besides `FetchError`: errors of the system and of TLS, and uvloop's RuntimeError."""


def reach_error(error: Exception, where: str) -> FetchError:
    """Return the `FetchError` for a foreign error of a fetch from `where`, a host and port."""
    if isinstance(error, OSError) and connect_reason(error.errno) is Reason.CLIENT_LIMIT:
        return our_limit(error)
    if isinstance(error, OSError | EOFError):
        return FetchError(Reason.CONNECTION_LOST, f"{where} closed the connection without an answer: {_said(error)}")
    return FetchError(Reason.CONNECT_FAILED, f"{where} could not be asked: {_said(error)}")


def dial_error(error: OSError, where: str) -> FetchError:
    """Return the `FetchError` for a dial of `where` that failed, by TCP or TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_error(error, where)
    if isinstance(error, ssl.SSLError):
        return FetchError(Reason.TLS_FAILED, f"no TLS with {where}: {_said(error)}")
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


def proxy_error(error: OSError, proxy: Proxy) -> FetchError:
    """Return the `FetchError` for a dial of a proxy that failed, by TCP or TLS."""
    found = dial_error(error, proxy.url.host_port)
    if found.reason is Reason.CLIENT_LIMIT:
        return found
    advice = "" if isinstance(error, ssl.SSLCertVerificationError) else "; check its scheme and address"
    return proxy.failed(f"was not reached: {found}{advice}")


def unix_error(error: OSError, path: str) -> FetchError:
    """Return the `FetchError` for a dial of a unix socket that failed, by its file or by TLS."""
    if error.errno == errno.EACCES:
        return FetchError(Reason.CONNECT_FAILED, f"no connection to {path} (--unix-socket): you may not write to it")
    return dial_error(error, f"{path} (--unix-socket)")


def our_limit(error: OSError) -> FetchError:
    """Return the error of a machine that ran out of files, ports or memory."""
    advice = "lower --concurrency or raise the limit of open files (ulimit -n)"
    return FetchError(Reason.CLIENT_LIMIT, f"this machine ran out of something: {_said(error)}; {advice}")


def _certificate_error(error: ssl.SSLCertVerificationError, where: str) -> FetchError:
    reason = certificate_reason(error.verify_code)
    said = safe(error.verify_message, 200)
    sentences = {
        Reason.TLS_EXPIRED: f"is out of date: {said}",
        Reason.TLS_HOSTNAME: f"is for another host: {said}",
        Reason.TLS_UNTRUSTED: f"is not trusted: {said}; --ca-file names whom to trust",
    }
    return FetchError(reason, f"the certificate of {where} {sentences[reason]}")


def _said(error: BaseException) -> str:
    return safe(str(error) or type(error).__name__, 200)
