"""core.network_errors: each number of a socket or TLS error has its reason."""

import errno

import pytest

from crawler.core.network_errors import certificate_reason, connect_reason
from crawler.core.reasons import Reason


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EAGAIN"])
def test_a_lack_of_files_ports_or_memory_is_this_machine_s(name: str) -> None:
    """None of these numbers blames the server."""
    assert connect_reason(getattr(errno, name)) is Reason.CLIENT_LIMIT


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ECONNREFUSED, Reason.CONNECT_REFUSED),
        (errno.ETIMEDOUT, Reason.CONNECT_TIMEOUT),
        (errno.EHOSTUNREACH, Reason.CONNECT_FAILED),
        (errno.ENETUNREACH, Reason.CONNECT_FAILED),
        (errno.ECONNRESET, Reason.CONNECT_FAILED),
        (errno.EACCES, Reason.CONNECT_FAILED),
        (None, Reason.CONNECT_FAILED),
    ],
)
def test_a_connection_that_was_not_opened_has_a_reason(number: int | None, reason: Reason) -> None:
    """An error without a known number still has one."""
    assert connect_reason(number) is reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (9, Reason.TLS_EXPIRED),  # not yet valid
        (10, Reason.TLS_EXPIRED),
        (11, Reason.TLS_UNTRUSTED),  # a revocation list that is not yet valid
        (18, Reason.TLS_UNTRUSTED),  # self-signed
        (19, Reason.TLS_UNTRUSTED),  # self-signed, in the chain
        (20, Reason.TLS_UNTRUSTED),  # no issuer
        (21, Reason.TLS_UNTRUSTED),
        (23, Reason.TLS_UNTRUSTED),  # revoked
        (62, Reason.TLS_HOSTNAME),
        (63, Reason.TLS_HOSTNAME),  # e-mail address
        (64, Reason.TLS_HOSTNAME),  # IP address
        (65, Reason.TLS_UNTRUSTED),
    ],
)
def test_a_refused_certificate_has_a_reason(code: int, reason: Reason) -> None:
    """Its dates, its name, or else its issuer."""
    assert certificate_reason(code) is reason
