"""no_proxy: the URLs that go straight to their servers, although the environment names a proxy.

Rules
- An entry is `*`, an address, a network (10.0.0.0/8), or a host, with a port or without one: the host itself and all
  hosts below it, with or without a leading dot. Commas or spaces stand between entries, as curl allows.
- No name is looked up to match an address.
- An entry that can match no URL is refused: a request that it was meant for would go to the proxy.
Strategy: `urllib.request.proxy_bypass_environment` is left out. It knows no network and no [::1], and takes "0.0.1" for
the end of "127.0.0.1".
Runs on: anywhere (pure).
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from crawler.core import urls
from crawler.core.errors import UrlError, UsageError
from crawler.core.urls import Url

_ENTRY = re.compile(r"(?:\*?\.)?(\[[^]]+\]|[^]\[:/*]+)(?::([0-9]{1,5}))?")


class Exemption(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of no_proxy: the URLs that go straight to their servers.

    Attributes:
        host: this one and all below it; empty = any.
        network: the addresses; None = the entry is a name.
        port: None = any.
    """

    host: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def covers(self, url: Url) -> bool:
        """Return whether the entry names this URL's server."""
        if self.port not in {None, url.port}:
            return False
        host = url.host.strip("[]").rstrip(".")
        if self.network is not None:
            return (address := _address(host)) is not None and address in self.network
        return not self.host or host == self.host or (host.endswith(f".{self.host}") and _address(host) is None)


def exemptions(text: str) -> tuple[Exemption, ...]:
    """Return the entries of no_proxy, between which stand commas or spaces.

    Raises:
        UsageError: an entry can match no URL.
    """
    return tuple(map(_exemption, text.replace(",", " ").split()))


def _exemption(text: str) -> Exemption:
    if text == "*":
        return Exemption()
    try:
        return Exemption(network=ip_network(text, strict=False))
    except ValueError:
        match = _ENTRY.fullmatch(text)
    try:
        host = urls.parse(f"http://{match[1]}/").host.rstrip(".") if match else ""
    except UrlError:
        host = ""
    if match is None or not host:
        wanted = "a host, host:port, .suffix, address or network such as 10.0.0.0/8"
        raise UsageError(f"no_proxy: {text[:80]!r} can match no URL: write {wanted}")
    port = int(match[2]) if match[2] else None
    address = _address(host.strip("[]"))
    return Exemption(host=host, port=port) if address is None else Exemption(network=ip_network(address), port=port)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is, as it is dialled; None = it is a name."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
