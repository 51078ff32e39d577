"""The hosts of a broad list: how many of each kind, what each does, and how its URLs must end.

Rules
- A seed decides which host is of which kind and how long it takes; kinds are mixed over the list.
- A host is an address of its own in 127.0.0.0/8, 127.1.0.0 and up. Some live ones are known by a name, which has the
  crawler's usual delay of half a second; an address of loopback has none. A dead name stands for no address.
- A host takes as long for its robots.txt as for a page, but for one that sends a byte at a time.
- A slow host is clearly below or clearly above the crawler's limit for the first byte.
Runs on: anywhere (pure).
"""

import random
from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import ip_address

import msgspec

FIRST_ADDRESS = int(ip_address("127.1.0.0"))
NAMED_DELAY = 0.5  # seconds between two requests to a host that is no address of loopback
NAMED_PAGES = 4  # at the most: with more of them the delay alone would decide how long a run takes
Fate = tuple[str, str]  # outcome and reason, as pages.jsonl has them


class Kind(StrEnum):
    """Behaviour of a host."""

    LIVE = "live"  # answers within 5 to 300 ms
    REFUSING = "refuses"  # RST
    BLACK_HOLE = "black hole"  # no answer to SYN
    SILENT = "silent"  # accepts, and says nothing
    SLOW = "slow"  # answers after seconds
    DRIBBLING = "dribbles"  # its pages come a byte each ten seconds
    NO_NAME = "no name"  # NXDOMAIN
    MUTE_NAME = "mute name"  # the name server says nothing
    UNTRUSTED = "untrusted"  # its certificate is of an authority that nobody knows
    NO_TLS = "no TLS"  # speaks something else


class Host(msgspec.Struct, frozen=True):
    """One host; `seconds` until it answers, `name` empty = it is known by its address."""

    number: int
    kind: Kind
    seconds: float = 0.0
    name: str = ""

    @property
    def address(self) -> str:
        """Return where it is."""
        return str(ip_address(FIRST_ADDRESS + self.number))

    @property
    def fate(self) -> Fate:
        """Return how each of its URLs must end."""
        if self.kind is Kind.SLOW and self.seconds < FIRST_BYTE_LIMIT:
            return _DONE
        return _FATES[self.kind]


FIRST_BYTE_LIMIT = 20.0  # seconds: the crawler's default
_DONE = ("done", "ok")
_FATES: Mapping[Kind, Fate] = {
    Kind.LIVE: _DONE,
    Kind.REFUSING: ("failed", "connect_refused"),
    Kind.BLACK_HOLE: ("failed", "connect_timeout"),
    Kind.SILENT: ("failed", "first_byte_timeout"),
    Kind.SLOW: ("failed", "first_byte_timeout"),
    Kind.DRIBBLING: ("failed", "total_timeout"),
    Kind.NO_NAME: ("failed", "dns_not_found"),
    Kind.MUTE_NAME: ("failed", "dns_timeout"),
    Kind.UNTRUSTED: ("failed", "tls_untrusted"),
    Kind.NO_TLS: ("failed", "tls_failed"),
}
# Thousandths of the hosts; the rest is live.
_SHARES: Mapping[Kind, int] = {
    Kind.REFUSING: 100,
    Kind.BLACK_HOLE: 100,
    Kind.SILENT: 50,
    Kind.SLOW: 30,
    Kind.NO_NAME: 30,
    Kind.MUTE_NAME: 20,
    Kind.UNTRUSTED: 10,
    Kind.NO_TLS: 10,
}
_NAMED_SHARE = 10  # thousandths of the hosts, which are live and known by a name
_NAMELESS = frozenset({Kind.NO_NAME, Kind.MUTE_NAME})
_SECURE = frozenset({Kind.UNTRUSTED, Kind.NO_TLS})


class Ports(msgspec.Struct, frozen=True):
    """The ports of a farm, the same at each of its addresses, and where its name server answers."""

    plain: int
    secure: int
    refusing: int
    full: int
    names: str

    def of(self, kind: Kind) -> int:
        """The port of a host of this kind."""
        ports = {Kind.UNTRUSTED: self.secure, Kind.REFUSING: self.refusing, Kind.BLACK_HOLE: self.full}
        return ports.get(kind, self.plain)


def broad(hosts: int, *, seed: int = 1, names: bool = True) -> list[Host]:
    """Return so many hosts, mixed as those of a real list; without `names` all are addresses, and no name is dead."""
    chance = random.Random(seed)
    kinds = [
        kind for kind, share in _SHARES.items() if names or kind not in _NAMELESS for _ in range(hosts * share // 1000)
    ]
    named = hosts * _NAMED_SHARE // 1000 if names else 0
    kinds += [Kind.LIVE] * (hosts - len(kinds))
    order = list(range(hosts))
    chance.shuffle(order)
    is_named = set(order[-named:]) if named else set()  # the last kinds are live
    kind_of = dict(zip(order, kinds, strict=True))
    return [_host(number, kind_of[number], chance, is_named=number in is_named) for number in range(hosts)]


def quick_and_slow(quick: int, slow: int, *, seed: int = 1) -> list[Host]:
    """Return live hosts, and slow ones of which half answer after 30 s and half dribble; no names."""
    chance = random.Random(seed)
    live = [_host(number, Kind.LIVE, chance) for number in range(quick)]
    late = [Host(quick + n, Kind.SLOW if n % 2 else Kind.DRIBBLING, 30.0 if n % 2 else 0.0) for n in range(slow)]
    return live + late


def live(hosts: Iterable[Host]) -> list[Host]:
    """Return those that answer quickly."""
    return [host for host in hosts if host.kind is Kind.LIVE]


def urls_of(host: Host, ports: Ports, urls: int) -> list[str]:
    """Return the URLs of a host, its front page first."""
    scheme = "https" if host.kind in _SECURE else "http"
    base = f"{scheme}://{host.name or host.address}:{ports.of(host.kind)}/"
    return [base + (str(page) if page else "") for page in range(pages_of(host, urls))]


def pages_of(host: Host, urls: int) -> int:
    """Return how many of `urls` pages a host has."""
    return min(urls, NAMED_PAGES) if host.name and host.kind is Kind.LIVE else urls


def listed(hosts: Iterable[Host], ports: Ports, urls: int, *, seed: int = 1) -> list[str]:
    """Return the URLs of all hosts, mixed."""
    found = [url for host in hosts for url in urls_of(host, ports, urls)]
    random.Random(f"list {seed}").shuffle(found)  # a chance of its own: that of `broad` would sort them by kind
    return found


def _host(number: int, kind: Kind, chance: random.Random, *, is_named: bool = False) -> Host:
    name = f"h{number}.farm.test" if is_named or kind in _NAMELESS else ""
    seconds = chance.uniform(0.005, 0.3)
    if kind is Kind.SLOW:
        seconds = chance.choice((chance.uniform(5.0, 17.0), chance.uniform(23.0, 30.0)))
    return Host(number, kind, seconds, name)
