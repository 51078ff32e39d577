"""What the documents say is what the program does."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

import crawler
from crawler.cli.main import COMMANDS
from crawler.core.config import OPTIONS
from crawler.core.messages import Timing
from crawler.core.options import Option
from crawler.core.reasons import Reason
from crawler.core.records import milliseconds
from crawler.downloader.client_options import Options
from crawler.load.config import LOAD_OPTIONS
from crawler.models.config import MODELS_OPTIONS
from crawler.report.reference import options_table
from crawler.site.plan import SitePlan
from support.faults import RunningSite, site_process

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "examples" / "demo.py"
REFERENCE = ROOT / "docs" / "reference.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"])
MAPS = ("ARCHITECTURE.md", "CONTRIBUTING.md")  # pages on which every path in backticks is one of this repository
PATH = r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.py"
SPAN = re.compile(rf"`({PATH})(?:: ([\w., ]+))?`")  # `folder/file.py`, or `folder/file.py: Class, Class.method`


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A built-in site in another process."""
    with site_process(SitePlan.plain(pages=20), tmp_path_factory.mktemp("site") / "requests.jsonl") as running:
        yield running


@pytest.mark.parametrize(
    ("begin", "end", "options"),
    [
        ("<!-- options: made from crawler/core/config.py -->\n", "<!-- /options -->", OPTIONS),
        ("<!-- load options: made from crawler/load/config.py -->\n", "<!-- /load options -->", LOAD_OPTIONS),
        (
            "<!-- models options: made from crawler/models/config.py -->\n",
            "<!-- /models options -->",
            MODELS_OPTIONS,
        ),
    ],
    ids=["crawl and fetch", "load", "models"],
)
def test_the_table_of_options_is_the_config(begin: str, end: str, options: Mapping[str, Option]) -> None:
    """`docs/reference.md` has a row for every knob; CRAWLER_WRITE_DOCS=1 writes the table anew."""
    head, rest = REFERENCE.read_text("utf-8").split(begin)
    table, tail = rest.split(end)
    wanted = options_table(options) + "\n"

    if os.environ.get("CRAWLER_WRITE_DOCS"):
        REFERENCE.write_text(head + begin + wanted + end + tail, "utf-8")

    assert os.environ.get("CRAWLER_WRITE_DOCS") or table == wanted


def test_every_command_is_in_the_reference() -> None:
    """No command is undocumented."""
    text = REFERENCE.read_text("utf-8")

    assert [name for name in COMMANDS if f"`crawler {name}" not in text] == []


def test_reasons_that_are_named_exist() -> None:
    """The documents name no reason that the program does not have."""
    text = REFERENCE.read_text("utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `reason`"))

    assert set(re.findall(r"`([a-z_]+)`", row)) - {"reason"} <= {reason.value for reason in Reason}


@pytest.mark.parametrize("example", sorted({*(ROOT / "examples").glob("*.py")} - {DEMO}), ids=lambda path: path.name)
def test_examples_run(example: Path, running: RunningSite, tmp_path: Path) -> None:
    """Each example ends well, pasted as it stands, with the URL of the built-in site."""
    arguments = [running.site.base_urls[0] + "/"]

    done = subprocess.run(
        [sys.executable, str(example), *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_demo_ends_as_the_readme_says(tmp_path: Path) -> None:
    """Line by line, but for the figures of a machine, what is cut, and the order of the hosts."""
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
    """What a line says without its figures."""
    shown = " ".join(line.partition(" ...")[0].split())[:60]
    return re.sub(r"[\d.,:]+(?: (?:ms|s|[KMG]iB)\b)?", "0", shown)


def blocks(language: str, page: str = "README.md") -> list[str]:
    """The code blocks of a page in this language."""
    text = (ROOT / page).read_text("utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [code for marked, code in found if marked == language]


@pytest.mark.parametrize(
    "code", [*blocks("python"), *blocks("python", "docs/library.md"), *blocks("python", "docs/load.md")]
)
def test_the_snippets_of_the_documents_run(code: str, running: RunningSite) -> None:
    """Pasted into a script as they stand, they print what the built-in site answers."""
    here = code.replace("http://127.0.0.1:8000", running.site.base_urls[0])

    done = subprocess.run([sys.executable, "-"], check=False, capture_output=True, text=True, input=here, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("200 ")


@pytest.mark.parametrize(("page", "at_least"), [("README.md", 9), ("docs/timeline.md", 3)])
def test_the_commands_of_a_page_run(page: str, at_least: int, running: RunningSite, tmp_path: Path) -> None:
    """Every line that begins, goes on with or asks about a run ends well, on a small site, in the order of the page."""
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


def test_the_library_s_options_are_documented() -> None:
    """Every option of a Fetcher stands in the table and in the docstring that `help` shows."""
    table = (ROOT / "docs" / "library.md").read_text("utf-8")

    for name in Options.__annotations__:
        assert f"`{name}`" in table, name
        assert re.search(rf"\b{name}\b", crawler.Fetcher.__doc__ or ""), name


def test_what_a_function_is_given_is_documented() -> None:
    """Every field of a PageSource stands in the table, and what is made of them."""
    table = (ROOT / "docs" / "library.md").read_text("utf-8").partition("| of the page |")[2].partition("\n\n")[0]

    for name in (*(field.name for field in fields(crawler.PageSource)), "text", "css(selector)"):
        assert f"`{name}`" in table, name


def test_the_fields_of_timing_are_documented() -> None:
    """Each has a row, or a place in one."""
    table = REFERENCE.read_text("utf-8").partition("### timing")[2].partition("\n\nThe parts")[0]

    assert re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) == [
        "`queue`",
        "`dns`, `connect`, `tls`",
        *(f"`{name}`" for name in list(milliseconds(Timing()))[4:]),
    ]


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
    """It works in a script without a guard and pasted into `python -`."""
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
    """At the prompt of asyncio, which awaits what is typed in a loop that runs already, as IPython and notebooks do."""
    typed = PROMPT.format(seed=running.site.base_urls[0] + "/", more=more)

    done = subprocess.run(
        [sys.executable, "-m", "asyncio"], check=False, capture_output=True, text=True, input=typed, timeout=60
    )

    shown = [line.lstrip(">. ") for line in done.stdout.splitlines()]
    assert [line for line in shown if line] == ["page 200", "page 200", "left after 200", "still here"], done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_paths_and_names_in_a_page_exist(page: Path) -> None:
    """Every path in backticks exists, and every name behind a file is defined in it."""
    assert list(stale(page.read_text("utf-8"), is_map=page.name in MAPS)) == []


@pytest.mark.parametrize(
    "text",
    [
        "`engin/crawl.py`",
        "`engine/crawler`",
        "`assembly.py`",
        "`docs/nothing.md`",
        "`engine/crawl.py: Crawler`",
        "`engine/crawl.py: Crawl, Crawl.walk`",
    ],
)
def test_a_stale_path_or_name_is_seen(text: str) -> None:
    """A path that does not exist and a name that its file does not define are reported."""
    assert list(stale(f"It is decided in {text}.", is_map=True))


def test_a_path_or_name_that_exists_is_not_reported() -> None:
    """Folders, files without their ending, paths of the repository and members of a class are found."""
    text = "`engine/`, `engine/crawl`, `build.py`, `docs/load.md`, `core/protocols.py: Clock, Observer, Clock.wall`"

    assert list(stale(text, is_map=True)) == []


def stale(text: str, *, is_map: bool) -> Iterator[str]:
    """Yield the paths of a page that do not exist, and the names that their files do not define."""
    for path, names in SPAN.findall(text):
        if not (is_map or ("/" in path and path.endswith(".py"))):
            continue
        places = [base / f"{path}{ending}" for base in (ROOT / "crawler", ROOT) for ending in ("", ".py")]
        found = next((place for place in places if place.exists()), None)
        if found is None:
            yield path
        elif names:
            yield from (f"{path}: {name}" for name in names.split(", ") if name not in defined(found))


@cache
def defined(path: Path) -> frozenset[str]:
    """Return the names that a file defines at its top level, and those of its classes' members."""
    body = ast.parse(path.read_text("utf-8")).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    members = {f"{owner.name}.{name}" for owner in classes for node in owner.body for name in bound(node)}
    return frozenset(members | {name for node in body for name in bound(node)})


def bound(node: ast.stmt) -> list[str]:
    """Return the names that a statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def test_each_step_and_each_term_names_its_file() -> None:
    """Every row of the two journeys and of the glossary says in which file it happens or is decided."""
    sections = re.split(r"^## ", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), flags=re.MULTILINE)
    chosen = [section.partition("\n### ")[0] for section in sections if re.match(r"\d+\. (The journey|Gloss)", section)]
    rows = [row for section in chosen for row in section.splitlines() if row.startswith("| ")]

    assert len(chosen) == 3
    assert len(rows) > 60
    assert [
        row for row in rows if ".py" not in row and not row.endswith((" code | runs on |", " why so |", " code |"))
    ] == []


def test_each_folder_stands_in_the_map() -> None:
    """Section 2 of ARCHITECTURE has a line for every folder of the package, and for no other."""
    section = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("\n## 2. ")[2].partition("\n## 3. ")[0]
    folders = {path.parent.name for path in (ROOT / "crawler").glob("*/__init__.py")}

    assert set(re.findall(r"^...(\w+)/ ", section, re.MULTILINE)) == folders


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Every relative link leads to a file, and its anchor to a heading there."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text("utf-8"))

    for target, anchor in links:
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), (target, anchor)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
