"""The hosts file, /etc/hosts: names that have their addresses there, read again when the file has changed.

Rules
- A line is an address and its names, in any case; `#` begins a comment (hosts(5)). Any other line is ignored.
- A file that cannot be read has no names.
Strategy: one dictionary, since files of a hundred thousand blocked hosts are common; a look at the date costs 2 us.
Runs on: the event loop, which reads that one local file.
"""

import socket
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from crawler.downloader.host_names import Address

HOSTS_FILE = Path("/etc/hosts")


class HostsFile:
    """The addresses of a hosts file, by name."""

    def __init__(self, path: Path = HOSTS_FILE) -> None:
        self._path = path
        self._read_as: tuple[int, int] | None = None
        self._addresses: dict[str, tuple[Address, ...]] = {}

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Return the addresses of a name in lower case, maybe none."""
        try:
            state = self._path.stat()
            if self._read_as != (now_as := (state.st_mtime_ns, state.st_size)):
                found: dict[str, tuple[Address, ...]] = {}
                for line in self._path.read_bytes().decode("utf-8", "replace").splitlines():
                    written, *names = line.partition("#")[0].lower().split() or [""]
                    address = _address(written)
                    for named in names if address else ():
                        found[named] = found.get(named, ()) + address
                self._addresses, self._read_as = found, now_as
        except OSError:
            return ()
        return self._addresses.get(name.removesuffix("."), ())


@lru_cache
def _address(written: str) -> tuple[Address, ...]:
    try:
        version = ip_address(written).version
    except ValueError:
        return ()
    return ((socket.AF_INET if version == 4 else socket.AF_INET6, written),)
