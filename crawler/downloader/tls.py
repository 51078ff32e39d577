"""TLS: the certificate authorities that are trusted, and the hosts that see the user's client certificate.

Rules
- Certificates are verified, except those of the hosts that the user called insecure; no option turns it off for all.
- `ca_file` adds to the system's authorities. The client certificate is shown only to hosts that the user
  named, and not to a host to which only another origin's redirect leads.
- Without such a file, aiohttp's context serves, which is made once per process: making one takes 20 ms.
Runs on: the event loop, once at the start; it reads two small files.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.core.text import safe

Trust = ssl.SSLContext | bool
"""Certificates as aiohttp takes them: True = verified, False = not, or by a context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The trust in hosts that are verified, and in those that the user called insecure."""

    verified: Trust
    insecure: Trust


def tls_for(config: FetchConfig, *, trusted: bool) -> Tls:
    """Return the TLS settings for hosts that may see the client certificate (`trusted`), or for all others.

    Raises:
        UsageError: a file cannot be read or holds no certificate.
    """
    certificate = config.client_cert if trusted else None
    if not (certificate or config.ca_file):
        return Tls(verified=True, insecure=False)
    verified = ssl.create_default_context()
    _load("ca-file", config.ca_file, verified.load_verify_locations)
    insecure = ssl.create_default_context()
    insecure.check_hostname = False
    insecure.verify_mode = ssl.CERT_NONE
    for context in (verified, insecure):
        context.set_alpn_protocols(["http/1.1"])
        _load("client-cert", certificate, context.load_cert_chain)
    return Tls(verified=verified, insecure=insecure)


def _load(option: str, path: str | None, load: Callable[[str], None]) -> None:
    if path is None:
        return
    try:
        load(path)
    except FileNotFoundError:
        raise UsageError(f"--{option}: {path!r}: no such file") from None
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UsageError(f"--{option}: {path!r} cannot be read as a PEM file: {safe(str(error))}") from error
