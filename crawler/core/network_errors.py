"""The reason that a socket or TLS error stands for: one map, for fetching and for load testing.

Rules
- The number decides, never the wording: `errno` of the system, `verify_code` of OpenSSL.
- A lack of files, ports or memory is this machine's limit (`client_limit`) and must not count against the server.
Runs on: anywhere (pure): an error comes in as its number.
"""

import errno

from crawler.core.reasons import Reason

# connect(2): EADDRNOTAVAIL and EAGAIN stand for a lack of local ports and routes.
_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN)
_CONNECT = {
    **dict.fromkeys(_LIMITS, Reason.CLIENT_LIMIT),
    errno.ECONNREFUSED: Reason.CONNECT_REFUSED,
    errno.ETIMEDOUT: Reason.CONNECT_TIMEOUT,
}
_CERTIFICATE = {
    9: Reason.TLS_EXPIRED,  # X509_V_ERR_CERT_NOT_YET_VALID (OpenSSL, x509_vfy.h)
    10: Reason.TLS_EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
    62: Reason.TLS_HOSTNAME,  # X509_V_ERR_HOSTNAME_MISMATCH
    63: Reason.TLS_HOSTNAME,  # X509_V_ERR_EMAIL_MISMATCH
    64: Reason.TLS_HOSTNAME,  # X509_V_ERR_IP_ADDRESS_MISMATCH
}


def connect_reason(number: int | None) -> Reason:
    """Return why a connection could not be opened, by its `errno`; `connect_failed` for a number without a reason."""
    return _CONNECT.get(number or 0, Reason.CONNECT_FAILED)


def certificate_reason(verify_code: int) -> Reason:
    """Return why a certificate was refused; `tls_untrusted` for a code that blames neither its dates nor its name."""
    return _CERTIFICATE.get(verify_code, Reason.TLS_UNTRUSTED)
