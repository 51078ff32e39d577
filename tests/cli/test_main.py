"""The command itself: its help, its exit codes, and that an error is one line whatever happens."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from crawler.cli import main, streams
from crawler.cli.main import COMMANDS, _run, cli
from crawler.core.config import OPTIONS
from crawler.core.errors import DiskFull, InternalError, RunInUse, StorageDamaged, StorageError, UsageError
from crawler.version import __version__
from support.fetching import answering
from support.rawserver import raw_server

LATER = ("warc", "cdxj", "revisit")  # words of what is not built yet


def help_of(*command: str) -> str:
    """Return the text that `--help` prints."""
    result = CliRunner().invoke(cli, [*command, "--help"], prog_name="crawler")
    assert result.exit_code == 0
    return result.output


def test_every_option_is_in_the_help_of_crawl() -> None:
    """Each knob stands in `crawl --help` with its flag, and with its default where it has one."""
    shown = " ".join(help_of("crawl").split())

    assert [name for name in OPTIONS if f"--{name}" not in shown] == []
    assert "[default: 256]" in shown
    assert "[default: 16M]" in shown
    assert "[default: on]" in shown


def test_fetch_follows_no_links() -> None:
    """`fetch` has every option but those that say which links to follow."""
    flags = set(re.findall(r"--([a-z-]+)", help_of("fetch"))) & OPTIONS.keys()

    assert OPTIONS.keys() - flags == {name for name, option in OPTIONS.items() if option.group == "scope"}


def test_the_help_of_resume_has_what_it_takes() -> None:
    """`resume --help` shows what may change, and nothing that judges URLs."""
    flags = set(re.findall(r"--([a-z-]+)", help_of("resume"))) & OPTIONS.keys()

    assert flags == {name for name, option in OPTIONS.items() if option.help.resumable or option.help.secret}
    assert "max-body" not in flags
    assert "[default:" not in help_of("resume")


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_promises_nothing_that_is_not_there(command: tuple[str, ...]) -> None:
    """No help speaks of an option or output that does not exist yet."""
    words = set(re.findall(r"[a-z]+", help_of(*command).lower()))

    assert words & set(LATER) == set()


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_has_examples_of_real_options(command: tuple[str, ...]) -> None:
    """Every help ends with examples, and each flag in them exists."""
    shown, _, examples = help_of(*command).partition("Examples:\n")
    known = shown + "".join(help_of(name).partition("Examples:\n")[0] for name in COMMANDS)

    assert examples.count("crawler ") >= 1
    assert [flag for flag in re.findall(r" (--?[a-z][a-z-]*)", examples) if flag not in known] == []


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_examples_can_be_pasted(command: tuple[str, ...]) -> None:
    """Each line is a command that a terminal shows whole, and what is said of it is a comment to the shell."""
    lines = help_of(*command).partition("Examples:\n")[2].splitlines()

    for line in map(str.strip, lines):
        _, gap, said = line.partition("  ")
        assert len(f"  {line}") <= 78, line
        assert not gap or said.lstrip().startswith("# "), line


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version."""
    assert _run(["--version"]) == 0
    assert capsys.readouterr().out == f"crawler, version {__version__}\n"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """`crawler` alone shows its commands, and is a usage error."""
    assert _run([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["craawl"], "No such command 'craawl'. Did you mean 'crawl'? (see crawler --help)"),
        (["xyzzy"], "No such command 'xyzzy'. (see crawler --help)"),
        (["--xyzzy"], "No such option '--xyzzy'. (see crawler --help)"),
        (["fetch", "--xyzzy"], "No such option '--xyzzy'. (see crawler fetch --help)"),
        (["verify"], "Missing argument 'DIR|DSN'. (see crawler verify --help)"),
        (["timeline", "a", "b"], "Got unexpected extra argument (b) (see crawler timeline --help)"),
        (["--\x1b[2J"], r"No such option '--\x1b[2J'. (see crawler --help)"),
    ],
)
def test_a_usage_error_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """An unknown command, option or argument is named in one line that tells where the help is."""
    assert _run(arguments) == 2
    assert capsys.readouterr().err == f"crawler: {message}\n"


class _Failing(click.Command):
    """A command that only fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("failing")
        self._error = error

    def invoke(self, ctx: click.Context) -> None:
        raise self._error


def interrupted_in_a_lock() -> RuntimeError:
    """Return what a `with` of a `threading.Condition` raises when Ctrl-C comes before it has its lock back."""
    error = RuntimeError("release unlocked lock")
    error.__context__ = KeyboardInterrupt()
    return error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UsageError("so not"), 2, "so not"),
        (RunInUse("in use"), 3, "in use"),
        (DiskFull("full"), 4, "full"),
        (StorageDamaged("damaged"), 5, "damaged"),
        (StorageError("broken"), 5, "broken"),
        (InternalError("our fault"), 70, "our fault"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (interrupted_in_a_lock(), 130, "interrupted"),
        (StorageError("two\nlines \x1b[2J"), 5, r"two\u000alines \u001b[2J"),
        (OSError(2, "No such file", "some/file"), 70, "internal error: FileNotFoundError"),
        (ValueError("oops"), 70, "internal error: ValueError('oops'); please report it"),
    ],
)
def test_an_error_is_a_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, message: str
) -> None:
    """Every kind of error has its exit code and one line on standard error, never a traceback."""
    monkeypatch.setattr(main._Commands, "get_command", lambda *_: _Failing(error))

    assert _run(["failing"]) == code

    (line,) = capsys.readouterr().err.strip("\n").split("\n")
    assert line.startswith(f"crawler: {message}")


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CRAWLER_DEBUG set, an error is raised as it is."""
    monkeypatch.setenv("CRAWLER_DEBUG", "1")
    monkeypatch.setattr(main._Commands, "get_command", lambda *_: _Failing(ValueError("oops")))

    with pytest.raises(ValueError, match="oops"):
        _run(["failing"])


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        (BrokenPipeError(32, "Broken pipe"), True),
        (OSError(28, "No space left on device"), True),
        (OSError(28, "No space left on device", "urls.txt"), False),
        (OSError(98, "Address already in use"), False),
        (ValueError(), False),
    ],
)
def test_an_error_of_a_stream_is_told_from_others(error: Exception, *, is_lost: bool) -> None:
    """Only an error without a file's name, of a kind that a pipe or full disk gives, is one of a standard stream."""
    assert streams.is_lost(error) == is_lost


# Modules that take long to import, each with the reason why it is not always needed.
HEAVY = (
    "aiohttp",  # the built-in site, and the cookies of the library's client
    "crawler.live.terminal",  # a terminal
    "crawler.load.run",  # another command
    "crawler.site.server",  # another command
    "email",  # a Retry-After with a date
    "pycares",  # a name to look up
    "rich",  # a terminal
    "tomllib",  # a file of options
)
STARTED = """
import sys
from crawler.cli.main import _run
assert _run(sys.argv[2:]) == 0
print([name for name in sys.argv[1].split(",") if name in sys.modules], file=sys.stderr)
"""


def imported(heavy: Iterable[str], *arguments: object) -> str:
    """Return which of these modules a command has imported when it ends, in a process of its own."""
    command = [sys.executable, "-c", STARTED, ",".join(heavy), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr.strip()


def test_help_imports_no_engine() -> None:
    """`crawler --help` starts nothing."""
    assert imported([*HEAVY, "asyncio", "uvloop", "sqlite3", "crawler.run.disk"], "--help") == "[]"


async def test_a_crawl_of_one_page_imports_what_it_uses(tmp_path: Path) -> None:
    """A page of a host that needs no lookup and no TLS, read in the main process, costs nothing of what others need."""
    page = b"<title>One page</title><a href=/>itself</a>"
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)
    async with raw_server(answering(answer)) as (host, port):
        command = ("crawl", f"http://{host}:{port}/", "-o", tmp_path / "run", "--quiet")
        told = await asyncio.to_thread(imported, HEAVY, *command)

    assert told == "[]"
