"""`crawler hosts` beside real runs: what it shows, and that it changes nothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.commands import crawler, program
from support.siteserver import HandMadeSite


@pytest.fixture
async def sites() -> AsyncIterator[tuple[HandMadeSite, HandMadeSite]]:
    """A site of three pages, and one that is always busy and has a robots.txt."""
    async with HandMadeSite() as quick, HandMadeSite(address="127.0.0.2") as busy:
        quick.add_page("/", links=["/a", "/b", "http://127.0.0.3:9999/elsewhere"])
        quick.add_page("/a", "a")
        quick.add_page("/b", "b")
        busy.add_page("/robots.txt", "User-agent: *\nDisallow: /private/\n", content_type="text/plain")
        busy.add_page("/", status=503)
        yield quick, busy


@pytest.fixture
async def out(tmp_path: Path, sites: tuple[HandMadeSite, HandMadeSite]) -> Path:
    """A crawl of both."""
    folder = tmp_path / "out"
    urls = [site.url() for site in sites]
    await crawler("crawl", *urls, "-o", folder, "--retries", 1, "--quiet")
    return folder


async def test_each_host_is_told(
    out: Path, sites: tuple[HandMadeSite, HandMadeSite], capfd: pytest.CaptureFixture[str]
) -> None:
    """Its pages, its robots.txt and its trouble; the host that links out of scope lead to is none of the run's."""
    assert await crawler("hosts", out, "--json") == 0

    quick, busy = json.loads(capfd.readouterr().out)
    assert quick["host"] == f"127.0.0.1:{sites[0].port}"
    assert (quick["done"], quick["failed"], quick["robots"], quick["errors"]) == (3, 0, "none", {})
    assert busy["host"] == f"127.0.0.2:{sites[1].port}"
    assert (busy["done"], busy["failed"], busy["robots"], busy["errors"]) == (0, 1, "rules", {"retry_status": 2})


async def test_the_table_is_sorted_as_asked(
    out: Path, sites: tuple[HandMadeSite, HandMadeSite], capfd: pytest.CaptureFixture[str]
) -> None:
    """With `--sort errors` the troubled host stands first, and its trouble below it."""
    assert await crawler("hosts", out, "--sort", "errors") == 0

    head, busy, trouble, quick = capfd.readouterr().out.splitlines()
    assert head.split()[:4] == ["host", "done", "failed", "pending"]
    assert busy.startswith(f"127.0.0.2:{sites[1].port} ")
    assert trouble == "  failed tries: retry_status 2"
    assert quick.startswith(f"127.0.0.1:{sites[0].port} ")


async def test_the_summary_names_the_hosts(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`summary.json` holds what `hosts --json` prints, and verify compares it with the frontier."""
    await crawler("hosts", out, "--json")
    told = json.loads(capfd.readouterr().out)

    summary = json.loads((out / "summary.json").read_bytes())

    assert (summary["hosts"], summary["more_hosts"]) == (told, 0)
    assert await crawler("verify", out) == 0
    (out / "summary.json").write_bytes(
        (out / "summary.json").read_bytes().replace(b'"robots": "rules"', b'"robots": "none"')
    )
    assert await crawler("verify", out) == 5


@pytest.mark.parametrize("command", [("hosts",), ("why", "http://127.0.0.1/")])
async def test_a_run_in_use_is_left_alone(
    tmp_path: Path,
    sites: tuple[HandMadeSite, HandMadeSite],
    capfd: pytest.CaptureFixture[str],
    command: tuple[str, ...],
) -> None:
    """While somebody works on the run nothing is told: exit 3."""
    site, out = sites[0], tmp_path / "out"
    site.add_page("/held", delay=60)

    async with program("fetch", site.url("/held"), "-o", out, "--quiet", "--no-robots"):
        await site.asked(1)
        code = await crawler(*command, out)

    assert code == 3
    assert "another process works on this run" in capfd.readouterr().err


@pytest.mark.parametrize("command", [("hosts",), ("why", "http://127.0.0.1/")])
async def test_a_run_that_is_none_is_refused(
    tmp_path: Path, out: Path, capfd: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    """No such folder: exit 2; a frontier that is none: exit 5; each in one line."""
    assert await crawler(*command, tmp_path / "nowhere") == 2
    assert capfd.readouterr().err == f"crawler: {tmp_path}/nowhere: there is no such folder\n"

    (out / "frontier.sqlite").write_bytes(b"nonsense" * 1000)
    assert await crawler(*command, out) == 5
    assert capfd.readouterr().err.startswith("crawler: frontier.sqlite: damaged (file is not a database)")
