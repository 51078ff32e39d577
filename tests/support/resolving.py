"""Builders of the DNS tests: a resolver, what it finds, and a process without files left."""

import os
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.dns import Resolver
from crawler.downloader.hosts_file import HostsFile
from support.nameserver import NameServer


@asynccontextmanager
async def resolver(
    *servers: NameServer,
    limit: float = 5.0,
    now: Callable[[], float] = time.monotonic,
    hosts_file: HostsFile | None = None,
) -> AsyncIterator[Resolver]:
    """A resolver that asks these servers, closed at the end."""
    names = Resolver(limit, tuple(server.address for server in servers), now, hosts_file)
    try:
        yield names
    finally:
        await names.close()


async def addresses(names: Resolver, host: str) -> list[str]:
    """Return the addresses of a name."""
    return [text for _, text in await names.resolve(host)]


async def reason(names: Resolver, host: str) -> Reason:
    """Return the reason of a failed lookup."""
    with pytest.raises(FetchError) as caught:
        await names.resolve(host)
    assert host in str(caught.value)
    return caught.value.reason


@contextmanager
def no_files_left() -> Iterator[None]:
    """This process can open nothing more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, limits[1]))
        with suppress(OSError):
            while True:
                stack.callback(os.close, os.dup(0))
        yield
