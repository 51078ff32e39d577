"""core.suffixes: the registrable domain of a host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.suffixes import registrable_domain
from crawler.core.urls import parse

DOMAINS = [
    ("example.com", "example.com"),
    ("www.example.com", "example.com"),
    ("a.b.example.co.uk", "example.co.uk"),
    ("alice.github.io", "alice.github.io"),  # the private section counts, as for browsers
    ("docs.alice.github.io", "alice.github.io"),
    ("a.b.c.kobe.jp", "b.c.kobe.jp"),  # *.kobe.jp is a suffix
    ("www.city.kobe.jp", "city.kobe.jp"),  # but city.kobe.jp is an exception
    ("www.xn--85x722f.com.cn", "xn--85x722f.com.cn"),  # 食狮.com.cn
    ("a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"),  # 公司.cn is a suffix, listed in Chinese
    ("a.b.unheard-of", "b.unheard-of"),  # a suffix that is not listed has one label
    ("co.uk", "co.uk"),  # a suffix is its own domain
    ("github.io", "github.io"),
    ("localhost", "localhost"),  # a single label too
    ("app.localhost", "app.localhost"),
    ("127.0.0.1", "127.0.0.1"),  # an address too
    ("10.1.0.1", "10.1.0.1"),
    ("[::1]", "[::1]"),
    ("[2001:db8::1]", "[2001:db8::1]"),
    ("www.example.com.", "example.com."),  # an absolute name is another host, and so another domain
    ("localhost.", "localhost."),
    ("_dmarc.example.com", "example.com"),  # what DNS takes, we take
]


@pytest.mark.parametrize(("host", "domain"), DOMAINS)
def test_the_registrable_domain_of_a_host(host: str, domain: str) -> None:
    """Hosts under one registered name share it; what has none is its own."""
    assert registrable_domain(parse(f"http://{host}/").host) == domain


@given(st.from_regex(r"[a-z0-9-]{1,8}(\.[a-z0-9-]{1,8}){0,4}\.?", fullmatch=True))
def test_a_domain_ends_its_hosts_and_is_its_own(host: str) -> None:
    """The domain is a whole end of the host's name, and the domain of itself."""
    domain = registrable_domain(host)

    assert f".{host}".endswith(f".{domain}")
    assert registrable_domain(domain) == domain
