"""load.target: whom a load test may hit."""

import pytest

from crawler.core.errors import TargetRefused, UsageError
from crawler.load.config import configure_load
from crawler.load.target import endpoint, exchange, is_own, target


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::ffff:127.0.0.1"])
def test_loopback_is_this_machine(address: str) -> None:
    """Every way to write it."""
    assert is_own(address)


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "8.8.8.8", "10.255.255.254", "169.254.169.254", "224.0.0.1", "255.255.255.255", "fe80::1"]
)  # fmt: skip
def test_everything_else_is_not(address: str) -> None:
    """Public, private, metadata, multicast and broadcast addresses that no interface of ours has."""
    assert not is_own(address)


@pytest.mark.parametrize("typed", ["http://127.0.0.1:8000/x", "127.0.0.1:8000/x"])
async def test_a_target_is_judged_and_resolved_once(typed: str) -> None:
    """The loop dials the address that was judged."""
    place = await endpoint(target(typed), configure_load({}).request)

    assert place.address == ("127.0.0.1", 8000)
    assert place.server_name is None


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ["a..localhost", ".localhost", "a" * 64 + ".localhost", "b." * 127 + "c"])
async def test_what_can_be_no_name_is_refused(scheme: str, name: str) -> None:
    """RFC 1035, 2.3.4; TLS and the lookup cannot even write it."""
    with pytest.raises(UsageError, match="can be no host"):
        await endpoint(target(f"{scheme}://{name}:8000/"), configure_load({}).request)


async def test_somebody_else_s_machine_needs_the_user_s_word() -> None:
    """It is refused, and allowed by its own name alone."""
    url = target("http://192.0.2.1/")

    with pytest.raises(TargetRefused, match=r"--i-may-test 192\.0\.2\.1"):
        await endpoint(url, configure_load({}).request)
    with pytest.raises(UsageError, match="the host of this test is"):
        await endpoint(url, configure_load({"i-may-test": "192.0.2.2"}).request)
    place = await endpoint(url, configure_load({"i-may-test": "192.0.2.1"}).request)
    assert place.address == ("192.0.2.1", 80)


def test_framing_is_ours_and_the_rest_can_be_replaced() -> None:
    """A header of the user's takes the place of ours; one that would break the message is left out."""
    config = configure_load(
        {"header": ["host: other", "USER-agent: me", "Content-Length: 99", "Connection: x"], "body": "hi"}
    )

    message = exchange(target("http://127.0.0.1/a"), config).request

    assert message == (
        b"POST /a HTTP/1.1\r\nAccept: */*\r\nhost: other\r\nUSER-agent: me\r\nContent-Length: 2\r\n\r\nhi"
    )
