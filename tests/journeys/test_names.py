"""A run that no name server answers: it ends early and in order, blames no host, and a resume fetches each URL once."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import crawler
from crawler.core.errors import NoNameServer
from support.commands import crawler as run
from support.crawls import records, urls
from support.nameserver import SERVFAIL, NameServer, Reply, name_server
from support.siteserver import HandMadeSite

HOSTS = 50
SECONDS = 0.5


@dataclass
class Net:
    """A site of many names, the name server that knows them, and a list of all of them."""

    site: HandMadeSite
    server: NameServer
    listed: Path
    out: Path

    @property
    def wanted(self) -> set[str]:
        """The URLs of the list."""
        return set(self.listed.read_text("utf-8").split())

    @property
    def asked(self) -> Counter[str]:
        """Return the number of requests for each host and path."""
        return Counter(f"{request.header('host')}{request.target}" for request in self.site.requests)


@pytest.fixture
async def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Net]:
    """Fifty hosts of a page each; a lookup may take a fifth of a second, and an outage half a second."""
    monkeypatch.setattr("crawler.engine.outage._WITHOUT_NAMES", SECONDS)
    monkeypatch.setattr("crawler.downloader.pool.LOOKUP_SECONDS", 0.2)
    async with HandMadeSite() as site, name_server(lambda *_: Reply("127.0.0.1")) as server:
        site.add_page("/", "a page")
        listed = tmp_path / "urls.txt"
        listed.write_text("".join(f"http://h{n}.example:{site.port}/\n" for n in range(HOSTS)), "utf-8")
        yield Net(site, server, listed, tmp_path / "out")


def _fall_silent(server: NameServer) -> None:
    server.silent = True


def _fail(server: NameServer) -> None:
    server.answers = lambda *_: Reply(code=SERVFAIL)


@pytest.mark.parametrize("break_", [_fall_silent, _fail])
async def test_a_run_without_a_name_server_ends_and_is_resumed(
    net: Net, capfd: pytest.CaptureFixture[str], break_: Callable[[NameServer], None]
) -> None:
    """Exit 9, all URLs pending, no host given up; then each page and each robots.txt is asked for once."""
    answers = net.server.answers
    break_(net.server)

    code = await run("fetch", net.listed, "--resolver", net.server.address, "-o", net.out)

    told = capfd.readouterr().err.splitlines()
    asked = f"no name server answers (asked: {net.server.address}): check the network, or name another with --resolver"
    assert code == 9
    assert told.count(f"waiting: {asked}") == 1
    assert sum(line.startswith("stopping after ") and line.endswith(f": {asked}") for line in told) == 1
    assert "no name server answers: 50 URLs = 0 done + 0 failed + 0 skipped + 50 pending" in told
    assert told[-1] == f"  {net.out} (go on with: crawler resume {net.out})"
    summary = json.loads((net.out / "summary.json").read_bytes())
    assert (summary["stopped_by"], summary["pending"]) == ("no name server answers", HOSTS)
    assert [host for host in summary["hosts"] if host["down"]] == []
    assert net.asked == Counter()
    assert await run("verify", net.out) == 0

    net.server.silent, net.server.answers = False, answers
    code = await run("resume", net.out)

    assert code == 0
    assert urls(net.out) == Counter(net.wanted)
    assert {record["reason"] for record in records(net.out)} == {"ok"}
    assert net.asked == Counter(
        f"{url.removeprefix('http://')}{path}" for url in net.wanted for path in ("", "robots.txt")
    )
    assert await run("verify", net.out) == 0


async def test_a_name_server_that_comes_back_in_time_costs_nothing(
    net: Net, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on by itself, and no URL fails."""
    monkeypatch.setattr("crawler.engine.outage._WITHOUT_NAMES", 60.0)
    root = ("", "2")  # asked for its name servers: once to know of the outage, and then beside each probe
    net.server.answers = lambda *_: Reply("127.0.0.1") if net.server.asked[root] > 1 else Reply(code=SERVFAIL)

    code = await run("fetch", net.listed, "--resolver", net.server.address, "-o", net.out)

    assert code == 0
    assert "waiting: no name server answers" in capfd.readouterr().err
    assert urls(net.out) == Counter(net.wanted)


async def test_a_script_hears_of_it(net: Net) -> None:
    """The loop over the pages of a crawl ends with the error, and not as if all were there."""
    net.server.silent = True

    with pytest.raises(NoNameServer, match="no name server answers"):
        async for _ in crawler.crawl(net.wanted, resolver=net.server.address, output=net.out):
            pass
