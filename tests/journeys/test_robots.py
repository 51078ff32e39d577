"""`crawler robots`, as a user types it: live from a server on loopback, and offline from a run."""

import asyncio
import json
import os
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.commands import crawler, program, state
from support.siteserver import HandMadeSite

RULES = """User-agent: *
Disallow: /private  # keep out
Crawl-delay: 2
User-agent: otherbot
Disallow: /
Sitemap: /sitemap.xml
"""


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """A page, and rules."""
    async with HandMadeSite() as served:
        served.add_page("/robots.txt", RULES, content_type="text/plain")
        served.add_page("/", "a page")
        yield served


@pytest.fixture
async def out(tmp_path: Path, site: HandMadeSite) -> Path:
    """A run that fetched it."""
    folder = tmp_path / "out"
    assert await crawler("fetch", site.url("/"), "-o", folder, "--quiet", "--delay", "0") == 0
    return folder


def without_moments(printed: str) -> list[str]:
    """The lines, with a word for each moment and age."""
    text = re.sub(r"\d{4}-[-\d:.T]+Z", "MOMENT", printed)
    return re.sub(r"just now|[\d.]+ \w+ ago", "AGO", text).splitlines()


async def test_a_server_is_asked_live(site: HandMadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    """The verdict, the line with its number and group, and what the verdict rests on; exit 1, since it is refused."""
    code = await crawler("robots", site.url("/private/x"))

    assert code == 1
    assert without_moments(capfd.readouterr().out) == [
        f"refused  {site.url('/private/x')}",
        "  agent       crawler",
        "  rule        line 2: Disallow: /private",
        "  group       User-agent: *",
        "  crawl-delay 2.0 s",
        "  sitemap     /sitemap.xml",
        "  robots.txt  status 200, 115 bytes",
        "  fetched     MOMENT, AGO",
        "  believed    until MOMENT",
    ]
    assert site.targets == ["/robots.txt"]


@pytest.mark.parametrize(
    ("path", "agent", "code", "rule"),
    [
        ("/", (), 0, "none matches"),
        ("/", ("OtherBot/2.1",), 1, "line 5: Disallow: /"),
        ("/private", ("--user-agent", "otherbot/1.0"), 1, "line 5: Disallow: /"),
    ],
)
async def test_any_agent_may_be_asked_about(
    site: HandMadeSite, capfd: pytest.CaptureFixture[str], path: str, agent: tuple[str, ...], code: int, rule: str
) -> None:
    """Exit 0 where it is allowed; without AGENT, our own product token counts."""
    assert await crawler("robots", site.url(path), *agent) == code
    assert f"  rule        {rule}\n" in capfd.readouterr().out


async def test_a_missing_robots_txt_allows(capfd: pytest.CaptureFixture[str]) -> None:
    """Its status says why."""
    async with HandMadeSite() as bare:
        code = await crawler("robots", bare.url("/x"))

    assert code == 0
    assert "  robots.txt  status 404, 0 bytes: everything is allowed\n" in capfd.readouterr().out


async def test_what_cannot_be_had_refuses_for_now(site: HandMadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    """With the reason, and what the server asks for."""
    site.add_page("/robots.txt", status=503, headers=[("Retry-After", "60")], times=1)

    code = await crawler("robots", site.url("/"))

    assert code == 1
    assert capfd.readouterr().out.splitlines() == [
        f"refused for now  {site.url('/')}",
        "  agent       crawler",
        "  reason      robots_unreachable: robots.txt: the server answered 503; the server asks to wait 1 min 00 s",
    ]


async def test_the_verdict_as_json(site: HandMadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    """The same, for a program."""
    code = await crawler("robots", site.url("/private/x"), "--json")

    found = json.loads(capfd.readouterr().out)
    assert code == 1
    assert found.pop("fetched_at") < found.pop("expires_at")
    assert found == {
        "url": site.url("/private/x"),
        "agent": "crawler",
        "allowed": False,
        "line": 2,
        "rule": "Disallow: /private",
        "group": "*",
        "crawl_delay": 2.0,
        "sitemaps": ["/sitemap.xml"],
        "status": 200,
        "bytes": 115,
        "reason": None,
        "message": None,
        "retry_after": None,
    }


async def test_a_run_s_copy_is_read_offline(out: Path, site: HandMadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    """No server is asked, and every file of the run is what it was."""
    before, asked = state(out), list(site.targets)

    code = await crawler("robots", site.url("/private/x"), "--run", out)

    assert code == 1
    assert "  rule        line 2: Disallow: /private\n" in capfd.readouterr().out
    assert state(out) == before
    assert site.targets == asked


async def test_a_stale_copy_is_called_so(out: Path, site: HandMadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    """Its rules are told all the same."""
    with sqlite3.connect(out / "frontier.sqlite") as db:
        db.execute("UPDATE robots SET fetched_at = 1000, expires_at = 2000")
    db.close()

    code = await crawler("robots", site.url("/"), "--run", out)

    assert code == 0
    assert "  believed    until 1970-01-01T00:33:20.000Z: stale, to be requested again\n" in capfd.readouterr().out


async def test_a_run_has_its_own_product_token(tmp_path: Path, site: HandMadeSite) -> None:
    """A question about a run is asked as the run's own robot."""
    out = tmp_path / "other"
    await crawler("fetch", site.url("/"), "-o", out, "--quiet", "--user-agent", "otherbot/3 (x)")

    codes = [await crawler("robots", site.url("/"), *agent, "--run", out) for agent in ((), ("crawler",))]

    assert codes == [1, 0]


async def test_a_run_that_is_worked_on_is_left_alone(tmp_path: Path, site: HandMadeSite) -> None:
    """Exit 3, and the other way round nobody is kept from working."""
    site.add_page("/slow", "late", delay=60)
    out = tmp_path / "out"
    async with program("fetch", site.url("/slow"), "-o", out, "--quiet"):
        await site.asked(2)

        code = await crawler("robots", site.url("/"), "--run", out)

    assert code == 3
    assert await crawler("robots", site.url("/"), "--run", out) in {0, 2}  # killed: its last commit counts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "nonsense: no http:// or https:// in front"),
        (["http://h/", "--run", "{out}"], "holds no robots.txt of http://h: the run has asked for none"),
        (["http://h/", "--run", "{out}/no"], "there is no such folder"),
        (["http://h/", "--run", "{out}", "--timeout", "3"], "--timeout is about asking a server, and --run asks none"),
        (["http://h/", "--timeout", "soon"], "timeout"),
        ([], "Missing argument 'URL'"),
    ],
)
async def test_what_cannot_be_meant(
    out: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit 2 and one line."""
    code = await crawler("robots", *(argument.format(out=out) for argument in arguments))

    printed = capfd.readouterr()
    assert (code, printed.out) == (2, "")
    assert message in printed.err


async def test_a_run_without_robots_says_so(
    tmp_path: Path, site: HandMadeSite, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing was asked for, because nobody wanted it."""
    await crawler("fetch", site.url("/"), "-o", tmp_path / "out", "--quiet", "--no-robots")

    code = await crawler("robots", site.url("/"), "--run", tmp_path / "out")

    assert code == 2
    assert "was started with --no-robots" in capfd.readouterr().err


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_the_wait(site: HandMadeSite, signum: int, code: int) -> None:
    """A server that does not answer holds nobody."""
    site.add_page("/robots.txt", delay=60)
    async with program("robots", site.url("/")) as asking:
        await site.asked(1)
        os.kill(asking.pid, signum)
        async with asyncio.timeout(20):
            assert await asking.wait() == code
