"""The command line in a test: carried out on a thread, or as a process of its own."""

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from crawler.cli.main import _run
from support.siteserver import HandMadeSite


async def crawler(*arguments: object) -> int:
    """Run a command line on a thread, so that a site in this test can answer meanwhile, and return its exit code."""
    return await asyncio.to_thread(_run, [str(argument) for argument in arguments])


@asynccontextmanager
async def program(*arguments: object, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the program as a process of its own, with pipes; kill it where the block ends unless it has ended."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crawler", *(str(argument) for argument in arguments)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        preexec_fn=_hear_interrupts,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


def _hear_interrupts() -> None:
    """Undo what a shell does to programs in the background, which are deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def add_pages(site: HandMadeSite, count: int) -> None:
    """Serve so many pages: /0, /1 and so on."""
    for number in range(count):
        site.add_page(f"/{number}", f"page {number}")


def write_list(path: Path, site: HandMadeSite, count: int) -> Path:
    """Write the list of the URLs of `add_pages`, and return its path."""
    path.write_text("".join(f"{site.url(f'/{number}')}\n" for number in range(count)), "utf-8")
    return path


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the content and the time of the last change of every file of a folder."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def append(path: Path, text: str) -> None:
    """Make a list or a file of options longer."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def summary(folder: Path) -> dict[str, object]:
    """Return the content of `summary.json`."""
    found: dict[str, object] = json.loads((folder / "summary.json").read_bytes())
    return found


@contextmanager
def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> Iterator[None]:
    """Let `-` read these bytes while the block lasts."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        yield


def one_line(capfd: pytest.CaptureFixture[str]) -> str:
    """Return the one line on standard error; nothing may be on standard output."""
    printed = capfd.readouterr()
    assert not printed.out
    (line,) = printed.err.splitlines()
    assert line.startswith("crawler: ")
    return line
