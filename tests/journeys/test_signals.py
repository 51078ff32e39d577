"""Ctrl-C and its relatives, sent to real processes at moments that the site tells."""

import asyncio
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from crawler.models.process_tree import pids
from crawler.runtime.tasks import background, every
from support.commands import add_pages, program, write_list
from support.crawls import urls
from support.siteserver import Gate, HandMadeSite

PAGES = 40


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """A site of forty pages."""
    async with HandMadeSite() as served:
        add_pages(served, PAGES)
        yield served


@pytest.fixture
def listed(tmp_path: Path, site: HandMadeSite) -> Path:
    """Their list."""
    return write_list(tmp_path / "urls.txt", site, PAGES)


def once_each(listed: Path) -> dict[str, int]:
    """Every URL of a list, once."""
    return dict.fromkeys(listed.read_text("utf-8").split(), 1)


async def finished(child: asyncio.subprocess.Process, seconds: float) -> tuple[int | None, str]:
    """Its exit code and what it said, within this time."""
    async with asyncio.timeout(seconds):
        _, said = await child.communicate()
    return child.returncode, said.decode()


async def run(*arguments: object) -> tuple[int | None, str]:
    """A whole life of the program."""
    async with program(*arguments) as child:
        return await finished(child, 30)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_the_first_signal_lets_what_is_in_flight_finish(
    tmp_path: Path, site: HandMadeSite, listed: Path, signum: int, code: int
) -> None:
    """After the first signal nothing new is asked for, what is in flight is kept, and a resume asks for the rest."""
    gate = Gate(site, [f"/{number}" for number in range(PAGES)])
    out = tmp_path / "out"

    async with program("fetch", listed, "-o", out, "--concurrency", 5) as child:
        await site.asked(5)  # robots.txt and four pages: more are asked for once one was answered
        child.send_signal(signum)
        gate.opened.set()
        ended, said = await finished(child, 15)
    kept = len(urls(out))
    again, _ = await run("resume", out)

    assert ended == code
    assert 4 <= kept < PAGES
    assert f"{PAGES} URLs = {kept} done + 0 failed + 0 skipped + {PAGES - kept} pending" in said
    assert f"go on with: crawler resume {out}" in said
    assert again == 0
    assert urls(out) == once_each(listed)
    assert Counter(site.targets)["/0"] == 1
    assert max(Counter(target for target in site.targets if target != "/robots.txt").values()) == 1


async def test_the_second_signal_ends_at_once(tmp_path: Path, site: HandMadeSite, listed: Path) -> None:
    """A second signal does not wait for servers; nothing is lost, and no URL is blamed for it."""
    gate = Gate(site, [f"/{number}" for number in range(PAGES)])
    out = tmp_path / "out"

    async with program("fetch", listed, "-o", out, "--concurrency", 5) as child:
        await site.asked(5)
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGTERM)  # of another kind, so that the kernel cannot merge the two
        ended, said = await finished(child, 10)
    marks = blame(out)
    gate.opened.set()
    again, _ = await run("resume", out)

    assert ended in {130, 143}  # the kernel may deliver the later one first
    assert "Traceback" not in said
    assert f"0 done + 0 failed + 0 skipped + {PAGES} pending" in said
    assert marks == (0, 0)
    assert again == 0
    assert urls(out) == once_each(listed)


def blame(out: Path) -> tuple[int, int]:
    """The most deaths and the most attempts that are noted against any URL."""
    with sqlite3.connect(out / "frontier.sqlite") as db:
        (marks,) = db.execute("SELECT max(deaths), max(attempts) FROM url").fetchall()
    db.close()
    deaths, attempts = marks
    return deaths, attempts


async def test_interrupted_again_and_again_it_still_ends(tmp_path: Path, site: HandMadeSite, listed: Path) -> None:
    """A run that is interrupted in each of its lives gets every page once, and nobody is taken for a killer."""
    out = tmp_path / "out"
    codes = []

    command: tuple[object, ...] = ("fetch", listed, "-o", out, "--concurrency", 2)
    for life in range(3):
        gate = Gate(site, [f"/{number}" for number in range(PAGES)])
        async with program(*command) as child:
            await site.asked(len(site.requests) + (3 if life == 0 else 2))
            child.send_signal(signal.SIGINT)
            gate.opened.set()
            codes.append((await finished(child, 15))[0])
        command = ("resume", out, "--concurrency", 2)
    codes.append((await run("resume", out))[0])

    assert codes == [130, 130, 130, 0]
    assert urls(out) == once_each(listed)
    assert blame(out)[0] == 0


def _signal(child: asyncio.subprocess.Process, signum: int) -> None:
    """Send the signal again, as a user presses the key again: Python hears one before a blocking read only after it."""
    if child.returncode is None:
        child.send_signal(signum)


@pytest.mark.parametrize(
    ("signum", "code", "says"),
    [(signal.SIGINT, 130, "\ncrawler: interrupted\n"), (signal.SIGTERM, 143, "crawler: interrupted\n")],
)
async def test_an_interrupted_list_is_no_run(
    tmp_path: Path, site: HandMadeSite, signum: int, code: int, says: str
) -> None:
    """A signal while standard input is still coming ends at once, without a traceback, and leaves no folder."""
    out = tmp_path / "out"

    async with program("fetch", "-", "-o", out) as child:
        await most_is_read(child, site.url("/0"))
        async with asyncio.timeout(20), background(every, 1, partial(_signal, child, signum)):
            await child.wait()  # its standard input is still open
        assert child.stderr is not None
        said = (await child.stderr.read()).decode()

    assert child.returncode == code
    assert said == says
    assert not out.exists()
    assert not site.requests


async def test_nothing_is_said_after_kill_9(tmp_path: Path, site: HandMadeSite, listed: Path) -> None:
    """Workers and helpers end with the program, silently; standard error is theirs, too."""
    Gate(site, [f"/{number}" for number in range(PAGES)])
    site.add_page("/0", "<title>this one is read by a worker</title>")
    options = ("--quiet", "--workers", "2", "--select", "title=title::text")

    async with program("fetch", listed, "-o", tmp_path / "out", *options) as child:
        while len(list(pids(child.pid))) < 4:  # noqa: ASYNC110 - itself, Python's helper, a worker and its guard
            await asyncio.sleep(0.01)
        child.kill()
        _, errors = await child.communicate()

    assert errors == b""


async def test_a_list_that_was_never_whole_cannot_be_resumed(tmp_path: Path, site: HandMadeSite) -> None:
    """Killed while standard input is still coming, there is no run yet, and `resume` and `verify` say what to do."""
    out = tmp_path / "out"

    async with program("fetch", "-", "-o", out) as child:
        await most_is_read(child, site.url("/0"))
        child.kill()
        await child.wait()
    answers = [await run(command, out) for command in ("resume", "verify")]

    assert answers == [(2, f"crawler: {out} holds no run, only its beginning: remove it, and start again\n")] * 2


async def most_is_read(child: asyncio.subprocess.Process, url: str) -> None:
    """Write more than a pipe holds and wait until the program has taken nearly all of it."""
    assert child.stdin is not None
    child.stdin.transport.set_write_buffer_limits(0)
    child.stdin.write(f"{url}\n".encode() * (4 * 1024 * 1024 // len(url)))
    await child.stdin.drain()


async def test_serve_ends_in_order() -> None:
    """Ctrl-C ends the built-in site with exit code 0."""
    async with program("serve", "--port", "0", "--pages", "3") as child:
        assert child.stdout is not None
        line = await child.stdout.readline()
        child.send_signal(signal.SIGINT)
        code, said = await finished(child, 10)

    assert line.startswith(b"serving http://127.0.0.1:")
    assert code == 0
    assert said == f"Ctrl-C ends it; in the background: kill {child.pid}\n"
