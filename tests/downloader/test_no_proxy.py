"""downloader.no_proxy: the URLs that an entry names."""

import pytest

from crawler.core.errors import UsageError
from crawler.core.urls import parse
from crawler.downloader.no_proxy import exemptions


@pytest.mark.parametrize(
    ("text", "host", "is_covered"),
    [
        ("", "a.example", False),
        ("*", "a.example", True),
        ("*", "[::1]", True),
        ("b.example, *", "a.example", True),
        ("a.example", "a.example", True),
        ("a.example", "a.example.", True),
        ("a.example.", "a.example", True),
        ("A.EXAMPLE", "a.example", True),
        ("a.example", "www.a.example", True),
        ("a.example", "nota.example", False),
        ("a.example", "a.example.org", False),
        (".a.example", "a.example", True),
        (".a.example", "www.a.example", True),
        (".a.example", "nota.example", False),
        ("*.a.example", "www.a.example", True),
        ("b.example,a.example", "a.example", True),
        (" b.example , a.example ,", "a.example", True),
        ("b.example a.example", "a.example", True),
        ("a.example:8080", "a.example:8080", True),
        ("a.example:8080", "www.a.example:8080", True),
        ("a.example:8080", "a.example", False),
        ("a.example:80", "a.example", True),
        ("a.example:443", "a.example", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("localhost", "localhost:8080", True),
        ("localhost", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", False),
        ("127.0.0.1:81", "127.0.0.1:81", True),
        ("127.0.0.1:81", "127.0.0.1", False),
        ("0.0.1", "127.0.0.1", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("10.0.0.0/8", "[::ffff:10.1.2.3]", True),
        ("10.0.0.0/8", "ten.example", False),
        ("::1", "[::1]", True),
        ("[::1]", "[::1]", True),
        ("[::1]:81", "[::1]:81", True),
        ("[::1]:81", "[::1]", False),
        ("::1", "[::2]", False),
        ("fd00::/8", "[fd12::1]", True),
        ("fd00::/8", "[fe80::1]", False),
        ("example", "127.0.0.1", False),
    ],
)
def test_an_entry_covers_its_hosts(text: str, host: str, is_covered: bool) -> None:
    """Names cover what is below them, addresses and networks cover addresses, a port narrows either."""
    assert any(entry.covers(parse(f"http://{host}/")) for entry in exemptions(text)) is is_covered


@pytest.mark.parametrize(
    "text", ["10.*", "10.0.0.0/99", "169.254/16", "http://a.example/", "a example/8", "<local>", "[a]"]
)
def test_an_entry_that_can_match_no_url_is_refused(text: str) -> None:
    """The requests that it was meant for would go to the proxy."""
    with pytest.raises(UsageError, match=r"no_proxy: .* can match no URL: write a host"):
        exemptions(text)
