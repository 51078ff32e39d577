"""TLS: the certificate authorities that are trusted, and the hosts that see the user's client certificate.

Rules
- Certificates are verified, except those of the hosts that the user called insecure; no option turns it off for all.
- `ca_file` adds to the system's authorities. The client certificate is shown only to hosts that the user
  named, and not to a host to which only another origin's redirect leads.
- The user's files are read at the start, so that a bad one is told before anything is done. Without such a file, one
  context serves the whole process. It is made for the first https host, since that takes 20 ms.
Runs on: the event loop; it reads small files.
"""

import ssl
from collections.abc import Callable, Mapping
from functools import cache

from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.core.text import safe
from crawler.core.urls import Url


class Tls:
    """The TLS contexts of one standing.

    Args:
        own: by whether certificates are verified; None = those that the process shares.
    """

    def __init__(self, own: Mapping[bool, ssl.SSLContext] | None = None) -> None:
        self._own = own

    def context(self, *, verified: bool) -> ssl.SSLContext:
        """Return the context for hosts that are verified, or for those that the user called insecure."""
        return self._own[verified] if self._own else _shared(verified=verified)


def tls_for(config: FetchConfig, *, trusted: bool) -> Tls:
    """Return the TLS settings for hosts that may see the client certificate (`trusted`), or for all others.

    Raises:
        UsageError: a file cannot be read or holds no certificate.
    """
    certificate = config.client_cert if trusted else None
    if not (certificate or config.ca_file):
        return Tls()
    contexts = {verified: _context(verified=verified) for verified in (True, False)}
    _load("ca-file", config.ca_file, contexts[True].load_verify_locations)
    for context in contexts.values():
        _load("client-cert", certificate, context.load_cert_chain)
    return Tls(contexts)


def certified_name(url: Url) -> str:
    """Return the name that the certificate of the host must have: it ends in no dot."""
    return url.host.strip("[]").rstrip(".")


@cache
def _shared(*, verified: bool) -> ssl.SSLContext:
    return _context(verified=verified)


def _context(*, verified: bool) -> ssl.SSLContext:
    if verified:
        context = ssl.create_default_context()
    else:  # without the system's authorities, which take most of the time
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(option: str, path: str | None, load: Callable[[str], None]) -> None:
    if path is None:
        return
    try:
        load(path)
    except FileNotFoundError:
        raise UsageError(f"--{option}: {path!r}: no such file") from None
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UsageError(f"--{option}: {path!r} cannot be read as a PEM file: {safe(str(error))}") from error
