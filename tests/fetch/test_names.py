"""fetch.names: names become addresses."""

import asyncio
import socket
from typing import NoReturn

import pytest
from aiodns import error as dns

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.fetch.names import Resolver
from support.fetching import OK, answering, ask, ask_url, failure, open_fetcher
from support.rawserver import raw_server


@pytest.mark.parametrize("name", ["localhost", "localhost.", "a.b.localhost", "LOCALHOST"])
async def test_localhost_is_this_machine_without_asking(name: str) -> None:
    """Nobody outside decides what localhost is."""
    resolver = Resolver(1)
    resolver._dns = None

    found = await resolver.resolve(name, 80)

    assert [result["host"] for result in found] == ["127.0.0.1", "::1"]
    assert resolver._dns is None


BAD_NAMES = [
    "a..localhost",
    ".localhost",
    "a.localhost..",
    "..",
    ".",
    f"{'a' * 64}.localhost",
    "b" * 64,
    "b." * 127 + "c",
]


@pytest.mark.both_loops
@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_can_be_no_name_is_not_looked_up(
    name: str, scheme: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """RFC 1035, 2.3.4: a part has 1 to 63 octets, a name 253 as it is written; nothing but the error tells of it."""
    asyncio.get_running_loop().slow_callback_duration = 60  # asyncio tells of a busy machine, too
    async with raw_server(answering(OK)) as (_, port), open_fetcher() as fetcher:
        error = await failure(fetcher, ask_url(f"{scheme}://{name}:{port}/"))

    assert error.reason is Reason.DNS_NOT_FOUND
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


async def test_behind_a_proxy_too() -> None:
    """It is the proxy that looks names up, and TLS through it that cannot write this one."""
    tunnel = answering(b"HTTP/1.1 200 OK\r\n\r\n")
    async with raw_server(tunnel) as (_, port), open_fetcher(proxy=f"http://127.0.0.1:{port}") as fetcher:
        error = await failure(fetcher, ask_url("https://a..example/"))

    assert error.reason is Reason.DNS_NOT_FOUND


@pytest.mark.parametrize("name", ["a" * 63 + ".localhost", "x-.localhost", "a_b.localhost", "localhost."])
async def test_odd_names_are_names(name: str) -> None:
    """Other characters do no harm: the letters of a host name are a convention (RFC 2181, 11)."""
    async with raw_server(answering(OK)) as (_, port), open_fetcher() as fetcher:
        assert (await fetcher.fetch(ask((name, port)))).body == b"good"


@pytest.mark.both_loops
async def test_a_name_on_this_machine_is_fetched() -> None:
    """A server on one of localhost's two addresses is found."""
    async with raw_server(answering(OK)) as (_, port), open_fetcher() as fetcher:
        assert (await fetcher.fetch(ask(("localhost", port)))).body == b"good"
        assert (await fetcher.fetch(ask(("x.localhost", port)))).body == b"good"


async def test_names_of_the_hosts_file_are_known() -> None:
    """/etc/hosts is read; every machine names itself there or nowhere."""
    resolver = Resolver(2)
    try:
        found = await resolver.resolve("ip6-localhost" if socket.gethostname() == "" else socket.gethostname(), 80)
    except FetchError as error:
        pytest.skip(f"this machine does not know its own name: {error.reason}")
    finally:
        await resolver.close()

    assert found


class Failing:
    """A lookup that always ends in one way."""

    def __init__(self, error: BaseException | None) -> None:
        self._error = error

    async def resolve(self, *_: object) -> NoReturn:
        """Raise as aiohttp's resolver does, or never answer."""
        if self._error is None:
            await asyncio.sleep(60)
        raise OSError(None, "lookup failed") from self._error

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (dns.DNSError(dns.ARES_ENOTFOUND, "Domain name not found"), Reason.DNS_NOT_FOUND),
        (dns.DNSError(dns.ARES_ENODATA, "no data"), Reason.DNS_NOT_FOUND),
        (dns.DNSError(dns.ARES_ESERVFAIL, "server failed"), Reason.DNS_TEMPORARY),
        (dns.DNSError(dns.ARES_ECONNREFUSED, "refused"), Reason.DNS_TEMPORARY),
        (dns.DNSError(dns.ARES_ETIMEOUT, "timeout"), Reason.DNS_TIMEOUT),
        (None, Reason.DNS_TIMEOUT),
    ],
)
async def test_each_failed_lookup_has_its_name(error: BaseException | None, reason: Reason) -> None:
    """Only a name that does not exist is final."""
    async with open_fetcher(connect_timeout=0.1) as fetcher:
        fetcher._dials._resolver._dns = Failing(error)  # type: ignore[assignment] # a stand-in

        failed = await failure(fetcher, ask_url("http://some.example/"))

    assert failed.reason == reason
    assert "some.example" in str(failed)


async def test_a_lookup_is_shared_and_kept() -> None:
    """Many fetches of one host at once ask once."""
    asked: list[str] = []

    class Counting(Resolver):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list:  # type: ignore[type-arg] # as the base
            asked.append(host)
            await asyncio.sleep(0.01)
            return await super().resolve(host, port, family)

    async with raw_server(answering(OK)) as (_, port), open_fetcher() as fetcher:
        fetcher._dials._pools[True, True]._resolver = Counting(1)
        await asyncio.gather(*(fetcher.fetch(ask(("localhost", port))) for _ in range(20)))
        await fetcher.fetch(ask(("localhost", port)))

    assert asked == ["localhost"]
