"""The chapter on concurrency: every command runs, and the page shows the rows that it prints.

The tests ask for eight pages: the rows are the same. CRAWLER_WRITE_DOCS=1 runs each command as printed and writes its
output into the page; do that on an idle machine.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.models.assemble import MODELS
from crawler.site.plan import SitePlan
from support.faults import site_process

CHAPTER = Path(__file__).parent.parent / "docs" / "concurrency.md"
SERVED = "http://127.0.0.1:8000"
COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ |```).*\n)*)", re.MULTILINE)  # a line after a dollar, and what it printed
COMMANDS = [command for command, _ in COMMAND.findall(CHAPTER.read_text("utf-8"))]
WRITES = bool(os.environ.get("CRAWLER_WRITE_DOCS"))


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of all commands of the chapter: one reads a file that another wrote."""
    return tmp_path_factory.mktemp("chapter")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the same as `crawler serve --plain --latency 0.02`, on another port."""
    log = tmp_path_factory.mktemp("site") / "requests.jsonl"
    with site_process(SitePlan.plain(pages=1000, latency=0.02), log) as running:
        yield running.site.base_urls[0]


@pytest.mark.timeout(300)  # the sweep starts twenty processes, one after the other
@pytest.mark.parametrize("command", COMMANDS, ids=COMMANDS)
def test_a_command_of_the_chapter_prints_what_stands_there(command: str, where: Path, site: str) -> None:
    """It ends well, and the same models answer; their speed is this machine's."""
    fewer = command if WRITES else re.sub(r"--pages \d+", "--pages 8", command)
    done = subprocess.run(
        fewer.replace(SERVED, site).split(),
        check=False,
        capture_output=True,
        text=True,
        cwd=where,
        env={**os.environ, "COLUMNS": "100", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        timeout=280,
    )
    printed = (done.stdout or done.stderr).replace(site, SERVED).rstrip() + "\n"  # a run's summary is no output

    assert done.returncode == 0, done.stderr
    if WRITES:
        _write(command, printed)
    shown = dict(COMMAND.findall(CHAPTER.read_text("utf-8")))[command]
    assert _rows(printed) == _rows(shown)


def _rows(text: str) -> list[str]:
    """Return the models that have a row, in their order; without any, whether a line begins at the margin."""
    first = [line.split()[:2] for line in text.splitlines() if line[:1].strip()]
    rows = [words[0] for words in first if words[0] in MODELS and words[-1][0].isdigit()]  # prose may wrap at a name
    return rows or [str(bool(first))]


def _write(command: str, printed: str) -> None:
    text = CHAPTER.read_text("utf-8")
    CHAPTER.write_text(COMMAND.sub(lambda found: f"$ {command}\n{printed}" if found[1] == command else found[0], text))
