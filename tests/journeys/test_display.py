"""Progress of a run while it works: on real terminals of two sizes, in a pipe, and moment by moment."""

import codecs
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from crawler.core.leases_and_commits import Totals
from crawler.core.metrics import Sample
from crawler.live.plain import PlainView
from crawler.live.terminal import TerminalView
from crawler.site.plan import SitePlan
from support.faults import site_process

SIZES = [(80, 24), (40, 10)]
REFUSED = 3


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The list of a slow site, with some URLs that nobody answers."""
    folder = tmp_path_factory.mktemp("list")
    with site_process(SitePlan.plain(pages=60, latency=0.25), folder / "requests.jsonl") as running:
        lines = [*(f"http://127.0.0.1:2/{number}" for number in range(REFUSED)), *running.site.urls()]
        path = folder / "urls.txt"
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        yield path


class Terminal:
    """A real terminal of this size: what it was sent, and what its screen shows then."""

    def __init__(self, columns: int, rows: int) -> None:
        self.sent = ""
        self._columns = columns
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def run(self, *arguments: object, press_after: str | None = None) -> int:
        """Run the program on it to its end; Ctrl-C is pressed as soon as this text was shown."""
        command = ["setsid", "-c", sys.executable, "-m", "crawler", *(str(argument) for argument in arguments)]
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            environment.pop(name, None)
        slave = self._slave
        with subprocess.Popen(command, env=environment, stdin=slave, stdout=slave, stderr=slave) as child:
            os.close(slave)
            for data in self._output():
                self.sent += data
                if press_after and press_after in self.sent:
                    os.write(self._master, b"\x03")
                    press_after = None
        os.close(self._master)
        return child.returncode

    def _output(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        with suppress(OSError):  # how Linux says that the other side is closed
            while True:
                yield decoder.decode(os.read(self._master, 65_536))

    @property
    def screen(self) -> list[str]:
        """Its lines at the end, empty ones left out."""
        lines, row, column = {0: ""}, 0, 0
        for control, up, text in re.findall(r"(\x1b\[\??(\d*)[A-Za-z]|[\r\n])|([^\x1b\r\n])", self.text):
            if control == "\r":
                column = 0
            elif control == "\n":
                row += 1
            elif control.endswith("A"):
                row -= int(up or 1)
            elif control == "\x1b[2K":
                lines[row] = ""
            elif text:
                row, column = (row + 1, 0) if column == self._columns else (row, column)
                line = lines.get(row, "").ljust(column)
                lines[row] = line[:column] + text + line[column + 1 :]
                column += 1
        return [lines[number].rstrip() for number in sorted(lines) if lines[number].strip()]

    @property
    def text(self) -> str:
        """Return the text that was sent, without colours."""
        return re.sub(r"\x1b\[[\d;]*m", "", self.sent)


def end_of_notes(screen: list[str]) -> list[str]:
    """The screen with what was said meanwhile joined into its first line."""
    at = next(number for number, line in enumerate(screen) if line.startswith("complete:"))
    return ["".join(screen[:at]), *screen[at:]]


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_a_terminal_shows_the_run_and_is_left_clean(tmp_path: Path, listed: Path, columns: int, rows: int) -> None:
    """Rates, what is fetched, waits and is queued, errors by kind, memory and lag are shown; only the summary stays."""
    terminal = Terminal(columns, rows)

    code = terminal.run("fetch", listed, "-o", tmp_path / "out", "--concurrency", 20, "--retries", 0)

    assert code == 1
    for shown in (
        r"\d+ done",
        rf"{REFUSED} failed",
        r"[1-9]\d* pending",
        r"[1-9]\d* pages/s",
        r"KiB/s",
        r"[1-9]\d* fetching",
        r"[1-9]\d* dialling",
        r"\d+ queued",
        r"KiB in all",
        rf"connect_refused {REFUSED}",
        r"memory \d+\.\d MiB",
        r"loop lag \d+ ms",
    ):
        assert re.search(shown, terminal.text), shown
    given_up, complete, *_ = end_of_notes(terminal.screen)
    assert given_up.startswith("http://127.0.0.1:2: robots.txt: nothing")
    assert complete.startswith("complete: 63 URLs = 60 done")
    assert "━" not in "".join(terminal.screen)
    assert "fetching" not in "".join(terminal.screen)
    assert max(map(len, terminal.screen)) <= columns
    assert terminal.sent.rindex("\x1b[?25h") > terminal.sent.rindex("\x1b[?25l")


def test_ctrl_c_leaves_a_clean_terminal(tmp_path: Path, listed: Path) -> None:
    """After Ctrl-C in the middle the cursor is back, the display is gone, and how to go on is said."""
    terminal = Terminal(80, 24)

    code = terminal.run("fetch", listed, "-o", tmp_path / "out", "--concurrency", 5, press_after="fetching")

    screen = "\n".join(terminal.screen)
    assert code == 130
    assert any(line.startswith("finishing ") for line in terminal.screen)
    assert any(line.startswith("interrupted: 63 URLs") for line in terminal.screen)
    assert "resume" in screen
    assert "━" not in screen
    assert "loop lag" not in screen
    assert "Traceback" not in screen
    assert terminal.sent.rindex("\x1b[?25h") > terminal.sent.rindex("\x1b[?25l")


def test_without_a_terminal_there_are_no_controls(tmp_path: Path, listed: Path) -> None:
    """Into a pipe go plain lines only."""
    command = [sys.executable, "-m", "crawler", "fetch", str(listed), "-o", str(tmp_path / "out"), "--retries", "0"]

    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "complete: 63 URLs" in ended.stderr
    assert all(line.isprintable() for line in ended.stderr.splitlines())


def moment(**totals: object) -> Sample:
    """A moment of a large run with long figures."""
    known: dict[str, object] = {
        "discovered": 12_345_678, "done": 10_000_000, "failed": 1_234_567, "pending": 1_111_111,
        "failures": {"connect_refused": 1_000_000, "first_byte_timeout": 234_567}, "bytes": 10**12, "retries": 98_765,
    }  # fmt: skip
    return Sample(
        totals=Totals(**{**known, **totals}),  # type: ignore[arg-type]  # a test's own words
        at=7_265.0,
        seconds=7_265.0,
        pages_per_second=2_345.6,
        bytes_per_second=12e6,
        fetching=256,
        waiting=1_000,
        queued=123_456,
        inbox=10,
        rss=300 * 1024 * 1024,
        lag=0.0123,
        worst_lag=1.5,
    )


def test_a_plain_line_says_everything() -> None:
    """One moment is one line with every figure in it."""
    out = io.StringIO()

    PlainView(out).sample(moment())

    assert out.getvalue() == (
        "2 h 01 min: 10,000,000 done, 1,234,567 failed, 1,111,111 pending;"
        " 256 fetching, 1,000 dialling, 123,456 queued; 2,346 pages/s, 11.4 MiB/s, 931.3 GiB in all;"
        " memory 300.0 MiB, loop lag 12 ms;"
        " connect_refused 1,000,000  first_byte_timeout 234,567  retries 98,765\n"
    )


@pytest.mark.parametrize(("columns", "rows"), [(80, 10), (40, 12), (30, 14), (200, 50)])
def test_no_figure_is_broken_or_cut(columns: int, rows: int) -> None:
    """Each figure stands whole on one line of a terminal of any width, and no line is too long."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=columns, height=rows, color_system=None)
    view = TerminalView(console, "fetch " + "a long name " * 20)

    with view:
        view.sample(moment())
        picture = out.getvalue()

    lines = [re.sub(r"\x1b\[[?\d]*[A-Za-z]|\r", "", line) for line in picture.splitlines()]
    shown = [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= columns
    for figure in (
        *("10,000,000 done", "1,234,567 failed", "0 skipped", "1,111,111 pending", "2,346 pages/s", "11.4 MiB/s"),
        *("256 fetching", "1,000 dialling", "123,456 queued", "931.3 GiB in all", "connect_refused 1,000,000"),
        *("first_byte_timeout 234,567", "retries 98,765", "memory 300.0 MiB", "loop lag 12 ms (worst 1500 ms)"),
    ):
        assert any(figure in line for line in shown), figure
    assert shown[0].endswith("2 h 01 min")


@pytest.mark.parametrize("evil", ["\x1b[2J", "\r", "\n", "\x9b31m", "\u202e"])
def test_names_cannot_move_the_cursor(evil: str) -> None:
    """Control characters in a name are escapes on a terminal and in a log."""
    out, log = io.StringIO(), io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, color_system=None)
    view = TerminalView(console, f"fetch a{evil}b")
    escaped = f"a\\u{ord(evil[0]):04x}"

    with view:
        view.sample(moment())
        view.note(f"a{evil}b")
    PlainView(log).note(f"a{evil}b")

    assert f"a{evil}" not in out.getvalue()
    assert out.getvalue().count(escaped) >= 2
    assert escaped in log.getvalue()
