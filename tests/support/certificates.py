"""Certificates for servers on loopback: one authority that tests trust, and each way in which one can be bad."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme

from crawler.core.reasons import Reason

AUTHORITY: Final = trustme.CA()
NAMES: Final = ("localhost", "127.0.0.1")
_NOW: Final = datetime.now(UTC)
_MONTH: Final = timedelta(days=30)

BAD: Final = {
    "expired": (
        AUTHORITY.issue_cert(*NAMES, not_before=_NOW - 2 * _MONTH, not_after=_NOW - _MONTH),
        Reason.TLS_EXPIRED,
    ),
    "not yet valid": (
        AUTHORITY.issue_cert(*NAMES, not_before=_NOW + _MONTH, not_after=_NOW + 2 * _MONTH),
        Reason.TLS_EXPIRED,
    ),
    "wrong host": (AUTHORITY.issue_cert("other.example"), Reason.TLS_HOSTNAME),
    "unknown authority": (trustme.CA().issue_cert(*NAMES), Reason.TLS_UNTRUSTED),
}
"""Certificates that a client of `localhost` or `127.0.0.1` refuses, each with its reason: the same for every client."""


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return what a server shows its certificate with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def authority_file(folder: Path) -> str:
    """Write the authority's certificate into a file of this folder and return its path."""
    path = folder / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return str(path)
