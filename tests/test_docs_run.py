"""The commands, snippets and examples of the documents run as they stand."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.site.plan import SitePlan
from support.faults import RunningSite, site_process

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "examples" / "demo.py"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A built-in site in another process."""
    with site_process(SitePlan.plain(pages=20), tmp_path_factory.mktemp("site") / "requests.jsonl") as running:
        yield running


@pytest.mark.parametrize("example", sorted({*(ROOT / "examples").glob("*.py")} - {DEMO}), ids=lambda path: path.name)
def test_examples_run(example: Path, running: RunningSite, tmp_path: Path) -> None:
    """Each example ends well, pasted as it stands, with the URL of the built-in site; a test suite under pytest."""
    is_suite = example.name.startswith("test_")
    alone = [*("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)), str(example)]
    arguments = alone if is_suite else [str(example), running.site.base_urls[0] + "/"]

    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_demo_ends_as_the_readme_says(tmp_path: Path) -> None:
    """The demo prints each line of the README, except for figures, cut text and the order of the hosts."""
    shown = next(block for block in blocks("") if block.startswith("$ crawler crawl output/demo"))

    done = subprocess.run(
        [sys.executable, str(DEMO)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        timeout=100,
    )

    assert done.returncode == 0, done.stdout
    told = {_kind(line) for line in done.stdout.splitlines()}
    assert [line for line in shown.splitlines() if _kind(line) not in told] == []
    assert "exit code" in shown
    assert done.stdout.splitlines()[-2].startswith('{"url":'), "the end is the first line of the output"


def _kind(line: str) -> str:
    """Return the line without its figures."""
    shown = " ".join(line.partition(" ...")[0].split())[:60]
    return re.sub(r"[\d.,:]+(?: (?:ms|s|[KMG]iB)\b)?", "0", shown)


def blocks(language: str, page: str = "README.md") -> list[str]:
    """Return the code blocks of a page in this language."""
    text = (ROOT / page).read_text("utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [code for marked, code in found if marked == language]


PYTHON = [block for page in ("README.md", "docs/library.md", "docs/load.md") for block in blocks("python", page)]


@pytest.mark.parametrize("code", [code for code in PYTHON if "def test_" not in code])
def test_the_snippets_of_the_documents_run(code: str, running: RunningSite, tmp_path: Path) -> None:
    """A snippet pasted into a script prints the built-in site's answers."""
    here = code.replace("http://127.0.0.1:8000", running.site.base_urls[0])

    done = subprocess.run(
        [sys.executable, "-"], check=False, capture_output=True, text=True, input=here, timeout=60, cwd=tmp_path
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("200 ")


@pytest.mark.parametrize("code", [code for code in PYTHON if "def test_" in code])
def test_the_tests_of_the_documents_pass(code: str, tmp_path: Path) -> None:
    """A test of the documents passes under pytest, in a project without a configuration."""
    (tmp_path / "test_theirs.py").write_text(code, "utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_theirs.py"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )

    assert f"{code.count('def test_')} passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(("page", "at_least"), [("README.md", 9), ("docs/timeline.md", 3)])
def test_the_commands_of_a_page_run(page: str, at_least: int, running: RunningSite, tmp_path: Path) -> None:
    """Every command about a run ends well, on a small site, in the order of the page."""
    (tmp_path / "site.txt").write_text(f"{running.site.base_urls[0]}/\n", "utf-8")
    lines = [line.partition("  #")[0].strip() for block in blocks("", page) for line in block.splitlines()]
    commands = [
        line for line in lines if re.match(r"crawler (crawl|fetch|resume|verify|hosts|why|load|timeline) ", line)
    ]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    for command in commands:
        here = command.replace("jq .status", "cat").replace("http://127.0.0.1:8000", running.site.base_urls[0])
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", here],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
        )
        assert done.returncode == 0, (command, done.stderr)

    assert len(commands) >= at_least


FETCH = """
import crawler
for page in crawler.fetch([{seed!r}]):
    print(page.status)
"""
CRAWL = """
import asyncio
import crawler
async def main():
    async for page in crawler.crawl([{seed!r}], max_pages=2{more}):
        print(page.status)
asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["script", "stdin"])
@pytest.mark.parametrize(
    ("code", "more", "printed"),
    [(FETCH, "", "200\n"), (CRAWL, "", "200\n200\n"), (CRAWL, ", workers=2", "200\n200\n")],
    ids=["fetch", "crawl", "crawl in workers"],
)
def test_the_library_needs_no_main_guard(
    how: str, code: str, more: str, printed: str, running: RunningSite, tmp_path: Path
) -> None:
    """The library works in a script without a guard and pasted into `python -`."""
    text = code.format(seed=running.site.base_urls[0] + "/", more=more)
    script = tmp_path / "script.py"
    script.write_text(text, "utf-8")
    arguments = [str(script)] if how == "script" else ["-"]

    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        input=text if how == "stdin" else None,
        timeout=60,
    )

    assert (done.stdout, done.stderr) == (printed, "")


PROMPT = """
import crawler
async for page in crawler.crawl([{seed!r}], max_pages=2{more}):
    print("page", page.status)

async for page in crawler.crawl([{seed!r}]{more}):
    print("left after", page.status)
    break

print("still here")
"""


@pytest.mark.parametrize("more", ["", ", workers=2"])
def test_a_prompt_can_crawl(more: str, running: RunningSite) -> None:
    """The prompt of asyncio runs `async for` in a loop that runs already, as IPython and notebooks do."""
    typed = PROMPT.format(seed=running.site.base_urls[0] + "/", more=more)

    done = subprocess.run(
        [sys.executable, "-m", "asyncio"], check=False, capture_output=True, text=True, input=typed, timeout=60
    )

    shown = [line.lstrip(">. ") for line in done.stdout.splitlines()]
    assert [line for line in shown if line] == ["page 200", "page 200", "left after 200", "still here"], done.stderr
    assert "Traceback" not in done.stderr
