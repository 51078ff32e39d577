"""load.dial: the reason of a connection that could not be opened."""

import errno

import pytest

from crawler.core.network_errors import connect_reason
from crawler.core.reasons import Reason
from crawler.load.dial import dial_error


@pytest.mark.parametrize("name", ["EMFILE", "EADDRNOTAVAIL", "ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "ECONNRESET"])
def test_a_number_has_the_reason_that_a_crawl_gives_it(name: str) -> None:
    """The map is that of `core.network_errors`."""
    number = getattr(errno, name)

    assert dial_error(OSError(number, "text")).reason is connect_reason(number)


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (TimeoutError(), Reason.CONNECT_TIMEOUT, "the connection was not open in time"),
        (OSError(errno.EMFILE, "none left"), Reason.CLIENT_LIMIT, "EMFILE: none left"),
        (OSError("odd"), Reason.CONNECT_FAILED, "odd"),
    ],
)
def test_the_message_says_what_happened(error: OSError, reason: Reason, message: str) -> None:
    """Also where there is no number, as when `asyncio.timeout` ends the dial."""
    found = dial_error(error)

    assert (found.reason, str(found)) == (reason, message)
