from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.core.addresses import AddressClass, AddressPolicy, classify, is_this_machine, parse_nets, written_address
from crawler.core.errors import UsageError
from crawler.core.urls import parse
from support.forbidden import FORBIDDEN_IPV4, FORBIDDEN_IPV6, embeddings, forbidden_urls

PUBLIC, LOOPBACK, PRIVATE = AddressClass.PUBLIC, AddressClass.LOOPBACK, AddressClass.PRIVATE
LINK_LOCAL, RESERVED = AddressClass.LINK_LOCAL, AddressClass.RESERVED

# First and last address of a net, its class, and the classes of the addresses just before and just after it.
NETS = [
    ("0.0.0.0", "0.255.255.255", RESERVED, None, PUBLIC),
    ("10.0.0.0", "10.255.255.255", PRIVATE, PUBLIC, PUBLIC),
    ("100.64.0.0", "100.100.100.199", PRIVATE, PUBLIC, LINK_LOCAL),
    ("100.100.100.200", "100.100.100.200", LINK_LOCAL, PRIVATE, PRIVATE),
    ("100.100.100.201", "100.127.255.255", PRIVATE, LINK_LOCAL, PUBLIC),
    ("127.0.0.0", "127.255.255.255", LOOPBACK, PUBLIC, PUBLIC),
    ("168.63.129.16", "168.63.129.16", LINK_LOCAL, PUBLIC, PUBLIC),
    ("169.254.0.0", "169.254.255.255", LINK_LOCAL, PUBLIC, PUBLIC),
    ("172.16.0.0", "172.31.255.255", PRIVATE, PUBLIC, PUBLIC),
    ("192.0.0.0", "192.0.0.255", RESERVED, PUBLIC, PUBLIC),
    ("192.0.2.0", "192.0.2.255", RESERVED, PUBLIC, PUBLIC),
    ("192.88.99.0", "192.88.99.255", RESERVED, PUBLIC, PUBLIC),
    ("192.168.0.0", "192.168.255.255", PRIVATE, PUBLIC, PUBLIC),
    ("198.18.0.0", "198.19.255.255", RESERVED, PUBLIC, PUBLIC),
    ("198.51.100.0", "198.51.100.255", RESERVED, PUBLIC, PUBLIC),
    ("203.0.113.0", "203.0.113.255", RESERVED, PUBLIC, PUBLIC),
    ("224.0.0.0", "255.255.255.255", RESERVED, PUBLIC, None),
    ("::", "::", RESERVED, None, LOOPBACK),
    ("::1", "::1", LOOPBACK, RESERVED, RESERVED),
    ("::2", "::fffe:ffff:ffff", RESERVED, LOOPBACK, RESERVED),  # after it: ::ffff:0.0.0.0
    ("64:ff9b::", "64:ff9b::ffff:ffff", RESERVED, RESERVED, RESERVED),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", RESERVED, RESERVED, RESERVED),
    ("100::", "100::ffff:ffff:ffff:ffff", RESERVED, RESERVED, RESERVED),
    ("2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", PUBLIC, RESERVED, RESERVED),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", RESERVED, PUBLIC, PUBLIC),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", RESERVED, PUBLIC, PUBLIC),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", RESERVED, PUBLIC, PUBLIC),
    ("2003::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", PUBLIC, RESERVED, RESERVED),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", RESERVED, PUBLIC, PUBLIC),
    ("3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", PUBLIC, RESERVED, RESERVED),
    ("fc00::", "fd00:41:ffff:ffff:ffff:ffff:ffff:ffff", PRIVATE, RESERVED, PRIVATE),
    ("fd00:42::42", "fd00:42::42", LINK_LOCAL, PRIVATE, PRIVATE),
    ("fd00:ec2::23", "fd00:ec2::23", LINK_LOCAL, PRIVATE, PRIVATE),
    ("fd00:ec2::254", "fd00:ec2::254", LINK_LOCAL, PRIVATE, PRIVATE),
    ("fd20:ce::254", "fd20:ce::254", LINK_LOCAL, PRIVATE, PRIVATE),
    ("fd20:ce::255", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", PRIVATE, LINK_LOCAL, RESERVED),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", LINK_LOCAL, RESERVED, RESERVED),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", RESERVED, LINK_LOCAL, RESERVED),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", RESERVED, RESERVED, None),
]

FORBIDDEN = [
    *FORBIDDEN_IPV4,
    *FORBIDDEN_IPV6,
    *(f"{address}%eth0" for address in FORBIDDEN_IPV6),
    *(embedding for address in FORBIDDEN_IPV4 for embedding in embeddings(address)),
]


@pytest.mark.parametrize(("first", "last", "inside", "before", "after"), NETS)
def test_a_net_ends_where_its_registry_says(
    first: str, last: str, inside: AddressClass, before: AddressClass | None, after: AddressClass | None
) -> None:
    """The first and the last address of a net belong to it, their neighbours do not."""
    start, end = ip_address(first), ip_address(last)

    assert (classify(str(start)), classify(str(end))) == (inside, inside)
    assert before is None or classify(str(start - 1)) is before
    assert after is None or classify(str(end + 1)) is after


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "93.184.215.14", "192.31.196.1", "2606:4700::1111", "2001:4860:4860::8888", "2a00::1"],
)
def test_the_public_internet_is_open(address: str) -> None:
    """A public address needs neither a name nor an option."""
    assert AddressPolicy().refusal(address, named=False) is None


def test_no_forbidden_address_is_dialled_for_a_link() -> None:
    """Every forbidden address, in every form that holds it, is refused when a link leads there."""
    dialled = [address for address in FORBIDDEN if AddressPolicy().refusal(address, named=False) is None]

    assert dialled == []
    assert len(set(FORBIDDEN)) >= 300


@pytest.mark.parametrize("address", ["1.1.1.1", "127.0.0.1", "169.254.169.254"])
def test_an_ipv4_address_wrapped_for_a_gateway_is_reserved(address: str) -> None:
    """No option opens an address of NAT64, 6to4, Teredo or ISATAP, since its destination cannot be seen here."""
    everything = AddressPolicy(allow_nets=parse_nets(["0.0.0.0/0", "::/0", f"{address}/32"]))
    wrapped = [form for form in embeddings(address) if IPv6Address(form).ipv4_mapped is None]

    assert {classify(form) for form in wrapped} == {RESERVED}
    assert all(everything.refusal(form, named=True) for form in wrapped)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.ip_addresses(v=4), st.sampled_from(FORBIDDEN_IPV4).map(IPv4Address)))
def test_a_mapped_address_is_what_it_maps(address: IPv4Address) -> None:
    """Operating systems dial ::ffff:a.b.c.d as a.b.c.d, so both are the same place."""
    assert classify(f"::ffff:{address}") is classify(str(address))


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.ip_addresses(v=6), st.sampled_from(FORBIDDEN_IPV6).map(IPv6Address)), st.sampled_from(["eth0", "1"])
)
def test_a_zone_changes_nothing(address: IPv6Address, zone: str) -> None:
    """The interface that an address is dialled through does not make it another kind of place."""
    assert classify(f"{address}%{zone}") is classify(str(address))


@pytest.mark.parametrize(
    "text",
    [
        *("localhost", "", "127.1", "0x7f.0.0.1", "0177.0.0.1", "[::1]", "127.0.0.1:80", "127.0.0.1.", "127.0.0.1.1"),
        *("127.0.0.256", "127.0.0.01", "127.0.0.+1", "127.0.0. 1", "127.0.0.\u0661", "127..0.1", "a.b.c.d"),
    ],
)
def test_a_name_is_no_address(text: str) -> None:
    """Only what a socket address can hold is judged; nothing is guessed."""
    with pytest.raises(ValueError, match="does not appear"):
        classify(text)


@pytest.mark.parametrize(
    ("nets", "address", "named", "allowed"),
    [
        ([], "127.0.0.1", True, True),  # the user's own server
        ([], "::1", True, True),
        ([], "192.168.1.1", True, True),  # the user's own network
        ([], "fd12:3456::1", True, True),
        ([], "127.0.0.1", False, False),  # a link to this machine
        ([], "192.168.1.1", False, False),
        (["127.0.0.0/8"], "127.0.0.1", False, True),
        (["127.0.0.0/8"], "::ffff:127.0.0.1", False, True),  # dialled as IPv4, so judged as IPv4
        (["127.0.0.0/8"], "::1", False, False),  # another net
        (["10.0.0.0/8", "::1"], "::1", False, True),  # the second of two
        (["10.1.0.0/16"], "10.2.0.1", False, False),
        (["0.0.0.0/0"], "10.2.0.1", False, True),
        ([], "169.254.169.254", True, False),  # naming is not enough
        (["169.254.0.0/16"], "169.254.169.254", True, False),  # nor is a wide net
        (["0.0.0.0/0"], "168.63.129.16", True, False),
        (["169.254.169.254"], "169.254.169.254", False, True),  # this very address
        (["169.254.169.254/32"], "::ffff:169.254.169.254", False, True),
        (["169.254.169.253/32"], "169.254.169.254", True, False),  # its neighbour
        (["fe80::/10"], "fe80::1%eth0", True, False),
        (["fe80::1"], "fe80::1%eth0", False, True),
        (["fc00::/7"], "fd00:ec2::254", True, False),
        (["fd00:ec2::254/128"], "fd00:ec2::254", False, True),
        (["0.0.0.0/0", "0.0.0.0/32"], "0.0.0.0", True, False),  # nothing opens reserved space
        (["240.0.0.1/32"], "240.0.0.1", True, False),
        (["64:ff9b::/96", "64:ff9b::7f00:1"], "64:ff9b::7f00:1", True, False),
    ],
)
def test_what_a_name_or_an_option_opens(nets: list[str], address: str, named: bool, allowed: bool) -> None:
    """Naming a host opens its own loopback or private address, `--allow-net` a net, and some things need exactness."""
    policy = AddressPolicy(allow_nets=parse_nets(nets))

    assert (policy.refusal(address, named=named) is None) is allowed


@pytest.mark.parametrize(
    ("address", "why", "remedy"),
    [
        ("127.0.0.1", "127.0.0.1 is an address of this machine", "--allow-net 127.0.0.1/32 allows it"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1 is a private address", "--allow-net 10.0.0.1/32 allows it"),
        ("fe80::1%eth0", "fe80::1%eth0 is a link-local or metadata address", "only --allow-net fe80::1/128"),
        ("240.0.0.1", "240.0.0.1 is a reserved address", "none of those is ever dialled"),
    ],
)
def test_a_refusal_says_why_and_what_would_help(address: str, why: str, remedy: str) -> None:
    """The sentence names the kind of address and the option that allows it, if there is one."""
    sentence = AddressPolicy().refusal(address, named=False)

    assert sentence is not None
    assert sentence.startswith(why)
    assert remedy in sentence


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1/8", "10/8", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/8,::1", "fe80::1%"]
)
def test_a_net_that_is_none_is_refused(text: str) -> None:
    """A typing error in `--allow-net` stops the start and quotes what was written."""
    with pytest.raises(UsageError) as refusal:
        parse_nets(["127.0.0.0/8", text])

    assert f"--allow-net {text}" in str(refusal.value)


def test_every_disguise_of_a_forbidden_host_is_seen_through() -> None:
    """Each URL of the shared list is parsed to a forbidden address, or to localhost, at the port that was asked for."""
    urls = forbidden_urls(8000)

    parsed = [parse(text) for text in urls]

    hosts = {url.host.strip("[]") for url in parsed} - {"localhost", "localhost."}
    assert len(set(urls)) == len(urls) >= 300
    assert {url.port for url in parsed} == {8000}
    assert [host for host in hosts if AddressPolicy().refusal(host, named=False) is None] == []
    assert hosts >= set(FORBIDDEN_IPV4) | set(FORBIDDEN_IPV6)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("93.184.215.14", "93.184.215.14"),
        ("[2606:4700::1111]", "2606:4700::1111"),
        *((name, "127.0.0.1") for name in ("localhost", "localhost.", "x.localhost", "a.b.localhost.", "LocalHost")),
        *((name, "127.0.0.1") for name in ("localhost.localdomain", "localhost6.localdomain6", "ip6-loopback")),
        *((name, "169.254.169.254") for name in ("metadata.google.internal", "metadata.goog", "metadata", "METADATA.")),
        *((name, "169.254.169.254") for name in ("instance-data", "instance-data.eu-west-1.compute.internal")),
        *((name, "169.254.169.254") for name in ("metadata.tencentyun.com", "api.metadata.cloud.ibm.com")),
        *((name, None) for name in ("public.example", "localhost.example", "notlocalhost", "metadata.example", "")),
        *((name, None) for name in ("localhost.internal.example", "x-metadata.internal", "metadata.internal.example")),
    ],
)
def test_a_host_that_says_where_it_leads_needs_no_lookup(host: str, address: str | None) -> None:
    """Literals, names of this machine and names of metadata services are told; for all others only a lookup can."""
    assert written_address(host) == address
    assert is_this_machine(host) is (address == "127.0.0.1")
