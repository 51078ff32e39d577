"""cli.run: what `fetch` and `resume` share."""

import io
import re
import sys
from pathlib import Path

import pytest

from crawler.build import Show
from crawler.cli import run
from crawler.cli.options import RunFlags
from crawler.core.errors import NO_NAME_SERVER, StorageError
from crawler.core.leases_and_commits import Totals
from crawler.core.reasons import UNREAD, Reason
from crawler.live.plain import PlainView
from crawler.live.terminal import TerminalView
from crawler.report.summary import summarize
from crawler.run.folder import RunFacts, RunFolder

EVIL = ["\x1b[2J\x1b[31m", "\x1b]0;title\x07", "\x9b31m", "\r", "\x08\x7f", "\u202e", "\u2066", "\ud800"]


@pytest.mark.parametrize("evil", [*EVIL, "\n2026-01-01T00:00:00Z forged\n", "\u2028forged", "\x85forged"])
def test_no_text_moves_the_cursor_of_whoever_reads_the_log(evil: str, tmp_path: Path) -> None:
    """Each entry of `crawler.log` is one printable line with a time in front, whatever text from outside it repeats."""
    folder = RunFolder(tmp_path)

    run.log(folder, f"the server said {evil}!")
    run.log(folder, "next")

    lines = folder.log.read_bytes().decode().split("\n")
    assert len(lines) == 3
    assert lines.pop() == ""
    assert all(line.isprintable() for line in lines)
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (the server said|next)", line) for line in lines)


def test_an_entry_of_the_log_is_bounded(tmp_path: Path) -> None:
    """No text fills the disk by way of the log."""
    run.log(RunFolder(tmp_path), "x" * 10**6)

    assert (tmp_path / "crawler.log").stat().st_size < 1100


@pytest.mark.parametrize("evil", EVIL)
def test_what_ends_a_run_is_logged_as_one_line(
    evil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error goes on to the command line as it is; in the log it is made safe."""

    def broken(_folder: RunFolder, _facts: RunFacts, _show: Show, *_others: object) -> None:
        raise StorageError(f"pages.jsonl: {evil}")

    monkeypatch.setattr(run, "run", broken)
    facts = RunFacts(command="fetch", sources=())

    with pytest.raises(StorageError):
        run.carry_out(RunFolder(tmp_path), facts, RunFlags(quiet=True, as_json=False, processes=1, trace=None))

    begins, ended = (tmp_path / "crawler.log").read_bytes().decode().splitlines()
    assert "fetch begins" in begins
    assert "ended by StorageError: pages.jsonl:" in ended
    assert ended.isprintable()
    assert capsys.readouterr().err == ""


class _Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("to_stdout", "view"), [(False, TerminalView), (True, PlainView)])
def test_lines_on_standard_output_leave_no_room_for_a_display(
    monkeypatch: pytest.MonkeyPatch, view: type, *, to_stdout: bool
) -> None:
    """With `--save -` something else is printed on the same terminal: progress is plain lines then."""
    monkeypatch.setattr(sys, "stderr", _Screen())

    assert isinstance(run._view("title", quiet=False, to_stdout=to_stdout), view)


@pytest.mark.parametrize(
    ("totals", "code"),
    [
        (Totals(discovered=1, done=1), 0),
        (Totals(discovered=1, done=1, statuses={404: 1}), 0),
        (Totals(discovered=1, failed=1), 1),
        (Totals(discovered=1, skipped={Reason.HOP_LIMIT: 1}), 1),
        (Totals(discovered=1, skipped={Reason.ROBOTS_DENIED: 1}), 0),
        *[(Totals(discovered=1, done=1, unread={reason: 1}), 1) for reason in sorted(UNREAD)],
    ],
)
def test_what_was_not_had_or_not_read_shows_in_the_exit_code(totals: Totals, code: int) -> None:
    """1 if anything failed, has too many redirects in front, or was not read in full; an error page is an answer."""
    summary = summarize(totals, peak_rss_mb=1, stopped_by=None)

    assert run.exit_code(summary, None) == code


@pytest.mark.parametrize(
    ("stopped_by", "signum", "code"),
    [(NO_NAME_SERVER, None, 9), ("interrupted", 2, 130), ("interrupted", 15, 143), ("--max-pages 1", None, 0)],
)
def test_an_early_end_shows_in_the_exit_code(stopped_by: str, signum: int | None, code: int) -> None:
    """9 without a name server, 130 and 143 after a signal; a budget is what the user wanted."""
    summary = summarize(Totals(discovered=2, done=1, pending=1), peak_rss_mb=1, stopped_by=stopped_by)

    assert run.exit_code(summary, signum) == code
