"""The documents agree with the code: options, commands, reasons, fields, paths, names and links."""

import ast
import os
import re
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
from crawler.downloader.request_options import RequestOptions
from crawler.load.config import LOAD_OPTIONS
from crawler.models.config import MODELS_OPTIONS
from crawler.report.reference import options_table

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"])
MAPS = ("ARCHITECTURE.md", "CONTRIBUTING.md")  # pages on which every path in backticks is one of this repository
PATH = r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.py"
SPAN = re.compile(rf"`({PATH})(?::([^`\n]*))?`")  # `folder/file.py`, or `folder/file.py: Class, Class.method`


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


def test_the_library_s_options_are_documented() -> None:
    """Every option of a Fetcher and of a request stands in a table and in the docstring that `help` shows."""
    table = (ROOT / "docs" / "library.md").read_text("utf-8")

    for name in Options.__annotations__:
        assert f"`{name}`" in table, name
        assert re.search(rf"\b{name}\b", crawler.Fetcher.__doc__ or ""), name
    for name in RequestOptions.__annotations__:
        assert f"`{name}`" in table, name
        assert re.search(rf"\b{name}\b", crawler.Fetcher.request.__doc__ or ""), name


def test_what_a_function_is_given_is_documented() -> None:
    """Every field of a PageSource stands in the table, and what is made of them."""
    table = (ROOT / "docs" / "library.md").read_text("utf-8").partition("| of the page |")[2].partition("\n\n")[0]

    for name in (*(field.name for field in fields(crawler.PageSource)), "text", "css(selector)"):
        assert f"`{name}`" in table, name


def test_the_fields_of_timing_are_documented() -> None:
    """Each field of a Timing has a row, or a place in one."""
    table = REFERENCE.read_text("utf-8").partition("### timing")[2].partition("\n\nThe parts")[0]

    assert re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) == [
        "`queue`",
        "`dns`, `connect`, `tls`",
        *(f"`{name}`" for name in list(milliseconds(Timing()))[4:]),
    ]


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
        "`engine/crawl.py:Crawl()`",
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
            yield from (f"{path}: {name}" for name in names.split(",") if name.strip() not in defined(found))


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
    rows = [row for section in chosen for row in re.findall(r"^\| .+$(?!\n\|---)", section, re.MULTILINE)]

    assert len(chosen) == 3
    assert len(rows) > 60
    assert [row for row in rows if ".py" not in row] == []


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
