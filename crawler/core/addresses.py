"""The policy of IP addresses: those that may be dialled, and those that may not.

Rules
- The socket's own address is judged at the dial: no spelling of a host and no DNS answer gets around it.
- Public: always. Loopback and private: when the user named that host and port, or with `--allow-net`. Link-local and
  the metadata services of clouds: only when `--allow-net` names that one address. Reserved: never.
- `::ffff:a.b.c.d` is judged as a.b.c.d, since operating systems dial it so. Every other IPv6 form with an IPv4 address
  in it (NAT64, 6to4, Teredo, ISATAP, IPv4-compatible, IPv4-translated) is reserved, whatever it holds: where it leads
  is decided by a gateway that we do not see.
- The tables are our own (IANA special-purpose registries): `ipaddress.is_global` calls 2002:7f00:1:: global.
- Behind a proxy nothing is dialled, so only a written host can be judged: an address, or a name that stands for this
  machine or for a metadata service wherever it is looked up.
Runs on: anywhere (pure).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from enum import Enum
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from crawler.core.errors import UsageError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


_MAX_NAME, _MAX_PART = 253, 63
NO_HOST = f"can be no host: each part of a name has 1 to {_MAX_PART} characters, the whole at most {_MAX_NAME}"


class AddressClass(Enum):
    """The class of an address; the value is its name in messages."""

    PUBLIC = "a public address"
    LOOPBACK = "an address of this machine"
    PRIVATE = "a private address"
    LINK_LOCAL = "a link-local or metadata address"
    RESERVED = "a reserved address"


def _nets(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ip_network, texts))


# The first row that holds the address decides; the last row of each table holds every address.
_IPV4 = (
    (
        AddressClass.LINK_LOCAL,
        _nets(
            "169.254.0.0/16",  # RFC 3927; 169.254.169.254 is the metadata service of most clouds
            "168.63.129.16/32",  # Azure's, in public space
            "100.100.100.200/32",  # Alibaba's, in shared space
        ),
    ),
    (AddressClass.LOOPBACK, _nets("127.0.0.0/8")),
    (AddressClass.PRIVATE, _nets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),  # RFC 1918, 6598
    (
        AddressClass.RESERVED,
        _nets(
            "0.0.0.0/8",  # this network; 0.0.0.0 reaches this machine
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # relays from IPv6
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # future use, and broadcast
        ),
    ),
    (AddressClass.PUBLIC, _nets("0.0.0.0/0")),
)
_IPV6 = (
    (AddressClass.LOOPBACK, _nets("::1/128")),
    (
        AddressClass.LINK_LOCAL,
        _nets(
            "fe80::/10",
            "fd00:ec2::254/128",  # Amazon's metadata service
            "fd00:ec2::23/128",  # Amazon's credentials for containers
            "fd20:ce::254/128",  # Google's metadata service
            "fd00:42::42/128",  # Scaleway's
        ),
    ),
    (AddressClass.PRIVATE, _nets("fc00::/7")),
    (
        AddressClass.RESERVED,
        _nets(
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    ),
    (AddressClass.PUBLIC, _nets("2000::/3")),  # all that is given out as global unicast
    (AddressClass.RESERVED, _nets("::/0")),
)


@lru_cache(maxsize=4096)
def classify(address: str) -> AddressClass:
    """Return the class of an address.

    Args:
        address: as a socket address has it: numeric, with or without a zone (`fe80::1%eth0`).

    Raises:
        ValueError: it is a name, or nothing at all.
    """
    version, number = 4, _dotted(address)
    if number is None:
        ip = _dialled(address)
        version, number = ip.version, int(ip)
    # ISATAP (RFC 5214, 6.1): under any prefix, 0000:5efe or 0200:5efe, then an IPv4 address.
    if version == 6 and number >> 32 & 0xFDFF_FFFF == 0x0000_5EFE:
        return AddressClass.RESERVED
    firsts, kinds = _ranges(version)
    return kinds[bisect_right(firsts, number) - 1]


_OCTETS = {str(octet): octet for octet in range(256)}


def _dotted(text: str) -> int | None:
    """Return the number of an IPv4 address in its only dotted spelling, in 1 us; None = the text is none."""
    if len(parts := text.split(".")) != 4:
        return None
    number = 0
    for part in parts:
        if (octet := _OCTETS.get(part)) is None:
            return None
        number = number << 8 | octet
    return number


@cache
def _ranges(version: int) -> tuple[list[int], list[AddressClass]]:
    """Return the first address of each range of one class, in order, and the classes: to look one up costs 1 us."""
    table = _IPV4 if version == 4 else _IPV6
    rows = [(int(net[0]), int(net[-1]), kind) for kind, nets in table for net in nets]
    firsts = sorted({first for first, _, _ in rows} | {last + 1 for _, last, _ in rows})
    kinds = [
        next((kind for low, high, kind in rows if low <= first <= high), AddressClass.RESERVED) for first in firsts
    ]
    return firsts, kinds


# Besides RFC 6761, 6.3: the names of this machine in the hosts files of Debian and Fedora.
_THIS_MACHINE = re.compile(
    r"(?:.+\.)?localhost|localhost[46]?\.localdomain[46]?|localhost[46]|ip6-localhost|ip6-loopback"
)
_METADATA = re.compile(
    r"(?:metadata|instance-data)(?:\..+\.internal|\.internal)?"  # Google's and Amazon's; short in a search domain
    r"|metadata\.goog|metadata\.tencentyun\.com|api\.metadata\.cloud\.ibm\.com|rancher-metadata"
)


def can_be_host(host: str) -> bool:
    """Return whether a URL's host can be looked up: no part of a name is empty or too long (RFC 1035, 2.3.4)."""
    name = host.removesuffix(".")
    return len(name) <= _MAX_NAME and all(0 < len(part) <= _MAX_PART for part in name.split("."))


def is_this_machine(name: str) -> bool:
    """Return True for a host name that leads to this machine wherever it is looked up."""
    return _THIS_MACHINE.fullmatch(_plain(name)) is not None


def written_address(host: str) -> str | None:
    """Return the address that a URL's host is or stands for; None = only a lookup can tell."""
    if _dotted(host) is not None:
        return host
    name = _plain(host)
    if is_this_machine(name):
        return "127.0.0.1"
    if _METADATA.fullmatch(name):
        return "169.254.169.254"
    try:
        return str(ip_address(name.strip("[]")))
    except ValueError:
        return None


class AddressPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The rule for the addresses that connections may go to.

    Attributes:
        allow_nets: what `--allow-net` opens besides the public internet.
    """

    allow_nets: tuple[Network, ...] = ()

    def refusal(self, address: str, *, named: bool) -> str | None:
        """Return the reason why this address must not be dialled; None = it may be.

        Args:
            address: as `classify` takes it.
            named: the user named the host and port that led here.
        """
        kind = classify(address)
        if kind is AddressClass.PUBLIC:
            return None
        if kind is AddressClass.RESERVED:
            return f"{address} is {kind.value}, and none of those is ever dialled"
        if named and kind is not AddressClass.LINK_LOCAL:
            return None
        ip = _dialled(address)
        option = f"--allow-net {ip}/{ip.max_prefixlen}"
        if kind is AddressClass.LINK_LOCAL:
            only = f"{address} is {kind.value}: only {option}, naming exactly this one, allows it"
            return None if any(ip in net for net in self.allow_nets if net.num_addresses == 1) else only
        if any(ip in net for net in self.allow_nets):
            return None
        return f"{address} is {kind.value}, and you did not name this host: {option} allows it"


def parse_nets(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that the user wrote, each as CIDR or as one address.

    Raises:
        UsageError: one of them is no network.
    """
    nets = []
    for text in texts:
        try:
            nets.append(ip_network(text))
        except ValueError:
            message = f"--allow-net {text}: no network; write 10.1.0.0/16 (zeros after the prefix), ::1/128 or 10.1.2.3"
            raise UsageError(message) from None
    return tuple(nets)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


@lru_cache(maxsize=4096)
def _dialled(address: str) -> Address:
    """Return the address that the operating system will really dial."""
    ip = ip_address(address.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip
