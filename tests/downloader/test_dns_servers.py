"""downloader.dns_servers: the name servers that an option's text names."""

import pytest

from crawler.core.errors import UsageError
from crawler.downloader.dns_servers import parse_servers


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        (None, ()),
        ("192.0.2.53", ("192.0.2.53:53",)),
        ("127.0.0.1:5353", ("127.0.0.1:5353",)),
        ("::1", ("[::1]:53",)),
        ("[::1]", ("[::1]:53",)),
        ("[2001:DB8::0:1]:5353", ("[2001:db8::1]:5353",)),
        ("fe80::1%eth0", ("[fe80::1]:53%eth0",)),
        ("192.0.2.53, ::1 ,127.0.0.1:53", ("192.0.2.53:53", "[::1]:53", "127.0.0.1:53")),
    ],
)
def test_addresses_may_have_a_port(text: str | None, servers: tuple[str, ...]) -> None:
    """IPv6 with a port stands in brackets; several are separated by commas."""
    assert parse_servers(text) == servers


@pytest.mark.parametrize(
    "text",
    ["", "ns.example", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "127.1", "[::1]:x", "::1]:53", "192.0.2.53,"],
)
def test_anything_else_is_refused(text: str) -> None:
    """A name could not be looked up, and a typing error must not send questions elsewhere."""
    with pytest.raises(UsageError, match=r"--resolver: expected an IP address"):
        parse_servers(text)
