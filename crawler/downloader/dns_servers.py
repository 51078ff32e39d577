"""The name servers to ask: those of `--resolver`, or the system's.

Rules
- `--resolver` takes addresses, never names: no server is known that could look those up. A port may follow,
  `127.0.0.1:5353` or `[::1]:5353`.
- The server that answered last is asked first.
- /etc/resolv.conf is read again after five seconds. Where it names no server, this machine is asked (resolv.conf(5)).
Runs on: the event loop; `parse_servers` anywhere.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, ip_address

from crawler.core.errors import UsageError

_PORT = 53  # RFC 1035, 4.2
_SERVER = re.compile(r"(?:\[([^]]+)\]|([^]:[]+))(?::([0-9]{1,5}))?")
_SERVERS_SECONDS = 5.0
_THIS_MACHINE = ("127.0.0.1:53",)


def parse_servers(text: str | None) -> tuple[str, ...]:
    """Return every server as c-ares writes it, `ADDRESS:PORT`, in the order given; none for None.

    Raises:
        UsageError: a part of the text is not an IP address with a port or without one.
    """
    return () if text is None else tuple(_parse(part.strip()) for part in text.split(","))


def _parse(text: str) -> str:
    match = _SERVER.fullmatch(text)
    port = int(match[3] or _PORT) if match else _PORT
    try:
        address = ip_address(match[1] or match[2] if match else text)
    except ValueError:
        address = None
    if address is None or not 0 < port < 65536:
        wanted = "an IP address, as in 192.0.2.53, 127.0.0.1:5353 or [::1]:5353; commas between several"
        raise UsageError(f"--resolver: expected {wanted}, got {text[:80]!r}")
    if isinstance(address, IPv4Address):
        return f"{address}:{port}"
    plain, percent, zone = str(address).partition("%")
    return f"[{plain}]:{port}{percent}{zone}"


class NameServers:
    """The servers in the order in which to ask them; `given` = none takes the `system`'s."""

    def __init__(self, given: Sequence[str], system: Callable[[], tuple[str, ...]], now: Callable[[], float]) -> None:
        self._given = tuple(given)
        self._read_system = system
        self._now = now
        self._system: tuple[str, ...] = ()
        self._read_at = float("-inf")
        self._preferred: str | None = None

    def in_order(self) -> tuple[str, ...]:
        """Return all servers, at least one."""
        if not self._given and self._now() - self._read_at >= _SERVERS_SECONDS:
            self._system, self._read_at = self._read_system() or self._system, self._now()
        servers = self._given or self._system or _THIS_MACHINE
        first = servers.index(self._preferred) if self._preferred in servers else 0
        return servers[first:] + servers[:first]

    def prefer(self, server: str | None) -> None:
        """Put this server first from now on."""
        self._preferred = server
