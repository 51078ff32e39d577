"""The name servers that an option's text names.

Rules
- Addresses, never names: nobody could look those up. A port may follow, `127.0.0.1:5353` or `[::1]:5353`.
Runs on: anywhere (pure).
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from crawler.core.errors import UsageError

_PORT = 53  # RFC 1035, 4.2
_SERVER = re.compile(r"(?:\[([^]]+)\]|([^]:[]+))(?::([0-9]{1,5}))?")


def parse_servers(text: str | None) -> tuple[str, ...]:
    """Every server as c-ares writes it, `ADDRESS:PORT`, in the order given; None gives none.

    Raises:
        UsageError: a part of the text is no IP address with a port or without one.
    """
    return () if text is None else tuple(_parse(part.strip()) for part in text.split(","))


def _parse(text: str) -> str:
    match = _SERVER.fullmatch(text)
    address = _address(match[1] or match[2] if match else text)
    port = int(match[3] or _PORT) if match else _PORT
    if address is None or not 0 < port < 65536:
        wanted = "an IP address, as in 192.0.2.53, 127.0.0.1:5353 or [::1]:5353; commas between several"
        raise UsageError(f"--resolver: expected {wanted}, got {text[:80]!r}")
    if isinstance(address, IPv4Address):
        return f"{address}:{port}"
    plain, percent, zone = str(address).partition("%")
    return f"[{plain}]:{port}{percent}{zone}"


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
