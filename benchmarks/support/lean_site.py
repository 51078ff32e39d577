"""An nginx that answers any path with the same page: `/1k/ANYTHING` has 1 KB, `/26k/ANYTHING` 26 KB, both HTML.

nginx is the server that costs least here, so most of two cores is left to the client. It has as many hosts as wanted,
each an address of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

from benchmarks.support.programs import nginx

_SIZES = {"1k": 1024, "26k": 26 * 1024}
_FIRST = ip_address("127.0.0.1")


@contextmanager
def lean_site(prefix: Path, hosts: int = 1) -> Iterator[list[str]]:
    """Serve it from this folder until the block ends; gives the base URLs, one for each host."""
    root = prefix / "www"
    root.mkdir()
    for name, size in _SIZES.items():
        (root / f"{name}.html").write_bytes(b"<!doctype html><title>A page</title><p>".ljust(size, b"."))
    places = "".join(f"location /{name}/ {{ try_files /{name}.html =404; }} " for name in _SIZES)
    extra = f"keepalive_requests 1000000000; open_file_cache max=16; {places}"
    addresses = [str(_FIRST + number) for number in range(hosts)]
    with nginx(root, prefix, extra=extra, addresses=addresses[1:]) as base_url:
        port = base_url.rpartition(":")[2]
        yield [f"http://{address}:{port}" for address in addresses]


def write_list(path: Path, base_urls: list[str], urls: int) -> None:
    """Write a list of so many different URLs of 1 KB, the hosts in turn."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{base_urls[number % len(base_urls)]}/1k/{number}\n" for number in range(urls))
