"""`crawler verify` beside real runs: it waits for nobody, changes nothing, and removes what it made."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.commands import append, crawler, program, state, write_list
from support.crawls import records
from support.siteserver import HandMadeSite

PAGES = 30
HELD = 20  # the page whose answer does not come


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """Thirty pages, one of which is never answered."""
    async with HandMadeSite() as served:
        for number in range(PAGES):
            served.add_page(f"/{number}", f"page {number}", delay=60 if number == HELD else 0)
        yield served


@pytest.fixture
def listed(tmp_path: Path, site: HandMadeSite) -> Path:
    """Their list, with two lines that are none."""
    path = write_list(tmp_path / "urls.txt", site, PAGES)
    append(path, "nonsense\n/relative\n")
    return path


async def killed(site: HandMadeSite, listed: Path, out: Path, *more: object) -> None:
    """A run that was killed when all but one of its pages were asked for."""
    async with program("fetch", listed, "-o", out, "--concurrency", 4, "--quiet", *more):
        await site.asked(PAGES + 1)


async def test_a_finished_run_is_not_changed(tmp_path: Path, site: HandMadeSite, listed: Path) -> None:
    """Every file is byte for byte what it was, and as old as it was."""
    site.add_page(f"/{HELD}", "in time")
    out = tmp_path / "out"
    await crawler("fetch", listed, "-o", out, "--quiet")
    before = state(out)

    code = await crawler("verify", out)

    assert code == 0
    assert state(out) == before


SAVED = ["jsonl", "files", "jsonl,files", "files,jsonl", "-", "-,files", "files,-"]


@pytest.mark.parametrize("command", ["fetch", "crawl"])
@pytest.mark.parametrize("save", SAVED)
async def test_a_finished_run_is_clean_whatever_it_kept(
    tmp_path: Path, site: HandMadeSite, listed: Path, command: str, save: str
) -> None:
    """Lines in a file, on standard output, pages as files: each combination can be audited."""
    site.add_page(f"/{HELD}", "in time")
    out = tmp_path / "out"
    await crawler(command, listed, "-o", out, "--quiet", "--save", save, "--workers", 0)

    code = await crawler("verify", out)

    assert code == 0
    assert (out / "pages.jsonl").exists() == ("-" not in save)
    assert (out / "files").exists() == ("files" in save)


@pytest.mark.parametrize("save", ["files", "jsonl,files", "-", "-,files"])
async def test_a_killed_run_is_clean_whatever_it_kept(
    tmp_path: Path, site: HandMadeSite, listed: Path, save: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A killed run has a tail to be mended at most, and is clean after a resume."""
    out = tmp_path / "out"
    await killed(site, listed, out, "--save", save)

    code = await crawler("verify", out)

    printed = capfd.readouterr()
    assert code == (5 if "bytes after the last commit" in printed.err else 0)
    site.add_page(f"/{HELD}", "in time")
    assert [await crawler("resume", out, "--quiet"), await crawler("verify", out)] == [0, 0]


async def test_a_killed_run_is_not_changed(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor is one whose last commits lie beside its frontier; they are seen all the same."""
    out = tmp_path / "out"
    await killed(site, listed, out)
    before = state(out)

    code = await crawler("verify", out)

    printed = capfd.readouterr()
    assert before["frontier.sqlite-wal"][0]
    assert state(out) == before
    assert code == (5 if "bytes after the last commit" in printed.err else 0)
    assert "URLs pending (crawler resume" in printed.out


async def test_an_audit_between_two_lives_costs_nothing(tmp_path: Path, site: HandMadeSite, listed: Path) -> None:
    """A resume after the audit of a killed run goes on as if nobody had looked."""
    out = tmp_path / "out"
    await killed(site, listed, out)
    await crawler("verify", out)
    site.add_page(f"/{HELD}", "in time")

    codes = [await crawler("resume", out, "--quiet"), await crawler("verify", out)]

    assert codes == [0, 0]
    assert len(records(out)) == PAGES


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupted_audit_leaves_no_copy(
    tmp_path: Path, site: HandMadeSite, listed: Path, signum: int, code: int
) -> None:
    """Of a killed run's frontier a copy is read; whatever ends the audit, it is removed."""
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    await killed(site, listed, out)
    os.mkfifo(out / "rejected.jsonl")

    async with program("verify", out, TMPDIR=str(temporary)) as audit, reader_of(out / "rejected.jsonl"):
        copies = len(list(temporary.glob("crawler-verify-*/frontier.sqlite")))
        audit.send_signal(signum)
        async with asyncio.timeout(10):
            await audit.wait()

    assert copies == 1
    assert audit.returncode == code
    assert list(temporary.iterdir()) == []


@asynccontextmanager
async def reader_of(pipe: Path) -> AsyncIterator[None]:
    """Wait until somebody opens this named pipe for reading, and let it wait for content while the block lasts."""
    try:
        async with asyncio.timeout(20):
            writer = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
    except TimeoutError:
        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))  # lets the thread go
        raise
    yield
    os.close(writer)
