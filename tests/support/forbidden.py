"""Hosts that a link must never lead to, in every disguise that a URL parser sees through.

Rules
- A WHATWG parser accepts every URL, and it leads to this machine, a private network, a metadata service or a reserved
  address, at the given port.
- One or two addresses of each kind stand for all; the edges of each net are tested where the nets are listed.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from urllib.parse import quote

FORBIDDEN_IPV4 = (
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "0.0.0.0",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
)
FORBIDDEN_IPV6 = (
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:42::42",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
)

_FULL_WIDTH = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))
_BOLD = str.maketrans("0123456789", "".join(chr(0x1D7CE + digit) for digit in range(10)))
_CIRCLED = str.maketrans("0123456789", "\u24ea" + "".join(chr(0x2460 + digit) for digit in range(9)))
_IDEOGRAPHIC_STOP = "\u3002"


def forbidden_urls(port: int) -> list[str]:
    """More than 300 different URLs, none of which may be dialled at `port` for a link's sake."""
    hosts = [*_names(), *_ipv4_hosts(), *_ipv6_hosts()]
    return list(dict.fromkeys([*(f"http://{host}:{port}/" for host in hosts), *_tricks("127.0.0.1", port)]))


def embeddings(address: str) -> list[str]:
    """The IPv6 addresses that hold this IPv4 address, by the standards that ever defined one."""
    number = int(IPv4Address(address))
    high, low = number >> 16, number & 0xFFFF
    return [
        f"::ffff:{address}",  # IPv4-mapped (RFC 4291)
        f"::ffff:{high:x}:{low:x}",
        f"::ffff:0:{address}",  # IPv4-translated (RFC 2765)
        f"::{address}",  # IPv4-compatible (RFC 4291, deprecated)
        f"64:ff9b::{address}",  # NAT64 (RFC 6052)
        f"64:ff9b:1::{address}",  # NAT64 within a site (RFC 8215)
        f"2002:{high:x}:{low:x}::1",  # 6to4 (RFC 3056)
        f"2001:0:102:304:8000:63bf:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",  # Teredo, the client inverted (RFC 4380)
        f"2001:0:{high:x}:{low:x}::1",  # Teredo, as its server
        f"2a00:1450::5efe:{address}",  # ISATAP (RFC 5214)
        f"2a00:1450::200:5efe:{address}",
        f"fe80::5efe:{address}",
    ]


def _names() -> list[str]:
    return [
        "localhost",
        "LOCALHOST",
        "LocalHost",
        "localhost.",
        "LOCALHOST.",
        "loc%61lhost",
        "%6c%6f%63%61%6c%68%6f%73%74",
        "local\u00adhost",  # a soft hyphen is dropped
        "local\u200bhost",  # so is a zero-width space
        "\uff4cocalhost",  # a full-width letter
        "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",  # circled letters
        "local\u210bost",  # a script letter
        f"localhost{_IDEOGRAPHIC_STOP}",
    ]


def _ipv4_hosts() -> Iterator[str]:
    for address in FORBIDDEN_IPV4:
        yield from _ipv4_spellings(address)


def _ipv4_spellings(address: str) -> list[str]:
    number = int(IPv4Address(address))
    first, second, third, fourth = number.to_bytes(4)
    return [
        address,
        f"{address}.",
        f"{number}",
        f"{number}.",
        f"0{number:o}",
        f"{number:#x}",
        f"0X{number:X}",
        f"0x00000{number:x}",
        f"{first}.{number & 0xFFFFFF}",
        f"{first}.{second}.{number & 0xFFFF}",
        f"{first:#x}.{second:#x}.{third:#x}.{fourth:#x}",
        f"0{first:o}.0{second:o}.0{third:o}.0{fourth:o}",
        f"000{first:o}.000{second:o}.000{third:o}.000{fourth:o}",
        f"{first:#x}.0{second:o}.{number & 0xFFFF}",
        f"{first:#x}.{number & 0xFFFFFF:#x}",
        address.translate(_FULL_WIDTH),
        address.translate(_BOLD),
        address.translate(_CIRCLED),
        address.replace(".", _IDEOGRAPHIC_STOP),
        address.replace(".", "%2E"),
        "".join(f"%{ord(character):02x}" for character in address),
        quote(address.translate(_FULL_WIDTH)),
    ]


def _ipv6_hosts() -> Iterator[str]:
    for address in FORBIDDEN_IPV6:
        yield f"[{address}]"
        yield f"[{address.upper()}]"
    for address in FORBIDDEN_IPV4:
        yield from (f"[{embedding}]" for embedding in embeddings(address))
    yield "[0:0:0:0:0:0:0:1]"
    yield "[0000:0000:0000:0000:0000:0000:0000:0001]"
    yield "[::0.0.0.1]"


def _tricks(host: str, port: int) -> list[str]:
    """One host, with everything around it made to look like another."""
    return [
        f"http://public.example@{host}:{port}/",
        f"http://public.example:80@{host}:{port}/",
        f"http://public.example%2F@{host}:{port}/",
        f"http://public.example%00@{host}:{port}/",
        f"http://a@public.example@{host}:{port}/",
        f"http://{host}:{port}\\@public.example/",
        f"http://{host}:{port}#@public.example/",
        f"http://{host}:{port}?@public.example/",
        f"http://{host}:{port}/@public.example/",
        f"http://{host}:{port}//public.example/../",
        f"http://{host}:0{port}/",
        f"http:{host}:{port}/",
        f"http:/{host}:{port}/",
        f"http:///{host}:{port}/",
        f"http://///{host}:{port}/",
        f"http:\\\\{host}:{port}\\",
        f"http:/\\{host}:{port}/",
        f"HTTP://{host}:{port}/",
        f"hTtP://{host}:{port}/",
        f"https://{host}:{port}/",
        f" http://{host}:{port}/ ",
        f"\x01http://{host}:{port}/\x1f",
        f"ht\ntp://{host}:{port}/",
        f"http:/\t/{host[:3]}\t{host[3:]}\r\n:{port}/",
        f"http://{host}:\t{port}/",
        f"http://{host[:5]}\u00ad{host[5:]}:{port}/",
        f"http://{host[:5]}\u2060{host[5:]}:{port}/",
    ]
