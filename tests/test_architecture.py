"""The walls of the house, checked over the syntax of every file of `crawler/`.

Rules
- A rule is a function from a module to the lines that break it. The package must break none.
- Each rule is also shown snippets that break it (`BAD`), so a rule that sees nothing is red.
- Which folder may import which is import-linter's subject (`pyproject.toml`); this file's is what it may reach for.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

import pytest

from support.syntax import Module, imports, module_of, ours, uses

ROOT: Final = Path(__file__).parent.parent

CLOCKS: Final = ("time", "datetime.date.today", "datetime.datetime.now", "datetime.datetime.today")
CHANCE: Final = ("random", "secrets", "uuid.uuid1", "uuid.uuid4")
FILES: Final = ("os", "shutil", "tempfile", "glob", "mmap", "sqlite3", "aiofiles", "io.open", "open")
PEOPLE: Final = ("logging", "input", "print", "subprocess")
NETWORK: Final = (
    *("socket", "ssl", "select", "selectors", "urllib.request", "http.client"),
    *("aiohappyeyeballs", "aiohttp", "pycares"),
)
PARALLEL: Final = ("threading", "_thread", "multiprocessing", "concurrent", "signal", "uvloop")
TASKS: Final = ("create_task", "ensure_future", "Task", "TaskGroup", "gather", "wait", "as_completed")
LIMITS: Final = ("Semaphore", "BoundedSemaphore")
LOOPS: Final = ("run", "Runner", "new_event_loop", "to_thread", "run_coroutine_threadsafe")

IMPURE: Final = ("asyncio", *CLOCKS, *CHANCE, *FILES, *PEOPLE, *NETWORK, *PARALLEL)
CONCURRENCY: Final = (*PARALLEL, *(f"asyncio.{name}" for name in (*TASKS, *LIMITS, *LOOPS)))
LOOP_METHODS: Final = ("create_task", "run_in_executor", "add_signal_handler", "call_soon_threadsafe")
ARBITRARY_CODE: Final = ("eval", "exec", "__import__", "pickle", "marshal", "shelve")
# Paths of somebody's machine and hosts of package registries; spelled so that this file does not match itself.
MACHINE: Final = re.compile(
    r"(?<![\w.])/(?:work|root|home|Users)/\w|/tmp/[v]\b|python[h]osted|\bpypi[.]org|registry[.]npmjs"
)
PURE_ROOMS: Final = frozenset({"core", "http", "encoding", "robots"})
PURE: Final = '"""D.\n\nRuns on: anywhere (pure).\n"""\n'
RELATIVE: Final = re.compile(
    r"\W*((what|where|how|when|who|which)(ever)?|whom|whose|whether|why|that|if|as|until)\b", re.IGNORECASE
)
LONGEST_FUNCTION: Final = 50  # lines
UNTRACKED: Final = frozenset({"__pycache__", "output", "dist"})


Rule = Callable[[Module], Iterator[int]]


# The rules


def the_pure_are_pure(module: Module) -> Iterator[int]:
    """A file that says `Runs on: anywhere (pure)` reaches for no clock, randomness, thread, file or network."""
    if claims_to_be_pure(module):
        yield from (use.line for use in uses(module) if use.within(IMPURE))


def the_pure_know_only_the_pure(module: Module) -> Iterator[int]:
    """A pure file imports of ours only pure files, and the version, which is a constant."""
    if claims_to_be_pure(module):
        pure = pure_names()
        yield from (use.line for use in ours(module) if not use.within([*pure, "crawler.version"]))


def shared_rooms_are_pure(module: Module) -> Iterator[int]:
    """Every file of core/, http/, encoding/ and robots/ says that it is pure."""
    if module.folder in PURE_ROOMS and module.path.name != "__init__.py" and not claims_to_be_pure(module):
        yield 1


def runtime_stands_alone(module: Module) -> Iterator[int]:
    """runtime/ knows no crawler word: it imports nothing of ours but itself."""
    if module.folder == "runtime":
        yield from (use.line for use in ours(module) if not use.within(["crawler.runtime"]))


def concurrency_lives_in_runtime(module: Module) -> Iterator[int]:
    """Concurrency is runtime/'s; models/ has it as its subject and load/wire.py holds a Protocol of asyncio."""
    if module.folder in {"runtime", "models"} or module.path == PurePosixPath("load/wire.py"):
        return
    yield from (use.line for use in uses(module) if use.within(CONCURRENCY))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in LOOP_METHODS:
            yield node.lineno


def aiohttp_stays_at_the_edge(module: Module) -> Iterator[int]:
    """Only servers and sessions that users bring know aiohttp, so no worker and no run imports it: it takes long."""
    edge = {"downloader/session.py", "downloader/session_failures.py", "testing/asgi_server.py"}
    if module.folder != "site" and module.path.as_posix() not in edge:
        yield from (use.line for use in imports(module) if use.within(["aiohttp"]))


def imports_name_their_module(module: Module) -> Iterator[int]:
    """Inside the package nobody imports from its face, nor relatively."""
    yield from (use.line for use in imports(module) if use.name == "crawler" or use.name.startswith("."))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "crawler":
            yield node.lineno


def no_import_is_hidden(module: Module) -> Iterator[int]:
    """TYPE_CHECKING is for the lazy face of a package, its __init__.py."""
    if module.path.name != "__init__.py":
        yield from (use.line for use in uses(module) if use.within(["typing.TYPE_CHECKING"]))


def no_wait_for(module: Module) -> Iterator[int]:
    """asyncio.wait_for loses a cancellation on Python 3.11; asyncio.timeout() does not."""
    yield from (use.line for use in uses(module) if use.within(["asyncio.wait_for"]))


def nothing_stored_or_received_is_run(module: Module) -> Iterator[int]:
    """No eval, no exec, and no format that runs code when it is read."""
    yield from (use.line for use in uses(module) if use.within(ARBITRARY_CODE))


def placeholders_bear_no_numbers(module: Module) -> Iterator[int]:
    """A statement of SQL writes `?` or `:name`: Python 3.12 warns of `?1`, which counts as a name, with a sequence."""
    if any(use.within(["sqlite3"]) for use in imports(module)):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\?\d", node.value):
                yield node.lineno


def says_what_it_decides(module: Module) -> Iterator[int]:
    """Every module opens with a docstring."""
    if not ast.get_docstring(module.tree):
        yield 1


def docstrings_begin_plainly(module: Module) -> Iterator[int]:
    """A docstring begins with a verb or a noun, and never with a relative clause."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if RELATIVE.match(ast.get_docstring(node) or ""):
            yield getattr(node, "lineno", 1)


def functions_fit_on_a_screen(module: Module) -> Iterator[int]:
    """A function has at most 50 lines, its docstring aside."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told = (ast.get_docstring(node, clean=False) or "").count("\n")
            if (node.end_lineno or node.lineno) - node.lineno + 1 - told > LONGEST_FUNCTION:
                yield node.lineno


def nothing_is_called_utils(module: Module) -> Iterator[int]:
    """A folder or file is named after what it decides."""
    if {"utils", "util", "helpers", "common", "misc"} & {part.removesuffix(".py") for part in module.path.parts}:
        yield 1


BAD: Final[dict[Rule, tuple[tuple[str, str], ...]]] = {
    the_pure_are_pure: (
        ("core/a.py", f"{PURE}import time"),
        ("load/a.py", f"{PURE}from os.path import exists"),
        ("core/a.py", f"{PURE}import concurrent.futures as cf"),
        ("engine/a.py", f"{PURE}from datetime import datetime as d\nd.now()"),
        ("core/a.py", f"{PURE}def f():\n    import random"),
        ("a.py", f"{PURE}open('x')"),
    ),
    the_pure_know_only_the_pure: (
        ("core/a.py", f"{PURE}from crawler.downloader.fetcher import HttpFetcher"),
        ("parse/a.py", f"{PURE}import crawler.runtime.clock"),
    ),
    shared_rooms_are_pure: (("core/a.py", '"""D."""'), ("robots/a.py", "import re")),
    runtime_stands_alone: (("runtime/a.py", "from crawler.core.urls import Url"),),
    concurrency_lives_in_runtime: (
        ("engine/a.py", "import asyncio\nasyncio.create_task(x)"),
        ("engine/a.py", "import asyncio as aio\naio.TaskGroup()"),
        ("engine/a.py", "from asyncio import gather"),
        ("frontier/a.py", "from concurrent import futures"),
        ("downloader/a.py", "self.loop.run_in_executor(None, f)"),
        ("cli/a.py", "loop().add_signal_handler(2, f)"),
        ("load/a.py", "import signal"),
    ),
    aiohttp_stays_at_the_edge: (
        ("parse/a.py", "import aiohttp.web"),
        ("downloader/a.py", "from aiohttp.connector import TCPConnector"),
        ("build.py", "from aiohttp import ClientSession"),
    ),
    imports_name_their_module: (
        ("cli/a.py", "from crawler import build"),
        ("cli/a.py", "import crawler"),
        ("cli/a.py", "from . import b"),
        ("cli/a.py", "from ..core.urls import Url"),
    ),
    no_import_is_hidden: (
        ("cli/a.py", "from typing import TYPE_CHECKING"),
        ("cli/a.py", "import typing\nif typing.TYPE_CHECKING: pass"),
    ),
    no_wait_for: (
        ("cli/a.py", "import asyncio\nasyncio.wait_for(x, 1)"),
        ("runtime/a.py", "from asyncio import wait_for as w"),
    ),
    nothing_stored_or_received_is_run: (("cli/a.py", "eval('1')"), ("cli/a.py", "from pickle import loads")),
    placeholders_bear_no_numbers: (
        ("frontier/a.py", "import sqlite3\ndb.execute('SELECT ?1', (1,))"),
        ("frontier/a.py", "import sqlite3\ndb.execute(f'UPDATE {t} SET a = ?2', (1,))"),
    ),
    says_what_it_decides: (("cli/a.py", "x = 1"),),
    docstrings_begin_plainly: (
        ("cli/a.py", '"""What a user is told."""'),
        ("core/a.py", '"""D."""\nclass A:\n    """Whoever asks."""'),
        ("core/a.py", '"""D."""\ndef f():\n    """When it is due."""'),
        ("core/a.py", '"""D."""\nasync def f():\n    """`How` far."""'),
    ),
    functions_fit_on_a_screen: (("cli/a.py", "def f():\n" + "    x()\n" * 50),),
    nothing_is_called_utils: (("utils/a.py", ""), ("core/utils.py", "")),
}


@pytest.mark.parametrize("rule", BAD, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    """No file of the package breaks the rule."""
    broken = [f"crawler/{module.path}:{line}" for module in package() for line in sorted(set(rule(module)))]

    assert not broken, "\n".join([rule.__doc__ or "", *broken])


@pytest.mark.parametrize(("rule", "path", "source"), [(rule, *bad) for rule in BAD for bad in BAD[rule]])
def test_a_broken_rule_is_seen(rule: Rule, path: str, source: str) -> None:
    """Each rule reports every snippet that breaks it."""
    assert list(rule(module_of(path, source)))


@pytest.mark.parametrize("folder", ["tests", "benchmarks", "examples"])
def test_docstrings_beside_the_package_begin_plainly(folder: str) -> None:
    """Tests, benchmarks and examples keep the rule for docstrings, too."""
    files = [path for path in sorted((ROOT / folder).rglob("*.py")) if path.name != "__init__.py"]
    modules = [module_of(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in files]

    assert len(modules) > 1
    assert [f"{module.path}:{line}" for module in modules for line in docstrings_begin_plainly(module)] == []


def test_what_a_rule_allows_is_not_reported() -> None:
    """A local name that only looks like a module, and what lives where it belongs, break nothing."""
    allowed = [
        module_of("core/a.py", f"{PURE}from datetime import datetime\nfor signal in (1,):\n    f(time=signal).open()"),
        module_of("cli/a.py", '"""D."""\nimport asyncio\nimport re\nasyncio.timeout(1)\nre.compile("a")'),
        module_of("runtime/tasks.py", '"""D."""\nimport asyncio\nasyncio.create_task(x)'),
        module_of("__init__.py", '"""D."""\nfrom typing import TYPE_CHECKING'),
    ]

    assert [(rule.__name__, module.path) for rule in BAD for module in allowed if list(rule(module))] == []


def test_no_folder_waits_for_its_first_real_file() -> None:
    """Each folder of the package has a file with code in it."""
    assert hollow(package()) == set()
    assert hollow([module_of("load/__init__.py", '"""Soon."""')]) == {"load"}


def test_nothing_tells_of_the_machine_it_was_written_on() -> None:
    """No file names a path of somebody's machine or a package registry's host."""
    found = [f"{path.relative_to(ROOT)}:{line}" for path in texts(ROOT) for line in machine_lines(path.read_bytes())]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["see /{}/notes", "'/{}/x'", "/{}/x"])
@pytest.mark.parametrize("folder", ["work", "root", "home", "Users"])
def test_a_machine_path_is_seen(text: str, folder: str) -> None:
    """A path of a machine is reported with its line."""
    assert list(machine_lines(f"fine\n{text.format(folder)}".encode())) == [2]


# What the rules look at


def claims_to_be_pure(module: Module) -> bool:
    """Return whether the file's docstring says that it runs anywhere, pure."""
    return "Runs on: anywhere (pure" in (ast.get_docstring(module.tree) or "")


@cache
def pure_names() -> frozenset[str]:
    """Return the dotted names of the package's pure files."""
    return frozenset(
        "crawler." + ".".join(module.path.with_suffix("").parts) for module in package() if claims_to_be_pure(module)
    )


@cache
def package() -> list[Module]:
    """Every file of the package as it stands."""
    files = sorted((ROOT / "crawler").rglob("*.py"))
    return [module_of(path.relative_to(ROOT / "crawler").as_posix(), path.read_text("utf-8")) for path in files]


def hollow(modules: Iterable[Module]) -> set[str]:
    """The folders whose files hold nothing but docstrings."""
    bodies = [
        (module.folder, [node for node in module.tree.body if not isinstance(node, ast.Expr)]) for module in modules
    ]
    return {folder for folder, _ in bodies} - {folder for folder, body in bodies if body} - {""}


def texts(folder: Path) -> Iterator[Path]:
    """The files of the project that are or could be committed."""
    for path in folder.iterdir():
        if path.name in UNTRACKED or (path.name.startswith(".") and path.name != ".ci"):
            continue
        if path.is_dir():
            yield from texts(path)
        else:
            yield path


def machine_lines(content: bytes) -> Iterator[int]:
    """The lines that name a machine's path or a registry's host."""
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if MACHINE.search(line):
            yield number
