"""Running of `crawl`, `fetch` and `resume`: progress while the run works, then its summary and its exit code.

Runs on: the main thread.
"""

import os
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Protocol

import click
from msgspec.structs import replace

from crawler.build import Show, Store, check_files, run
from crawler.cli.more_workers import check_processes, readers
from crawler.cli.notes import cookies_note
from crawler.cli.options import RunFlags
from crawler.cli.tracefile import Tracing
from crawler.core.config import RunConfig, configure
from crawler.core.errors import NO_NAME_SERVER, NoNameServer, ReaderGone, StorageError, UsageError
from crawler.core.metrics import Sample
from crawler.core.reasons import Reason
from crawler.core.text import counted, safe
from crawler.live.plain import PlainView, SilentView
from crawler.report.broken import broken_text
from crawler.report.summary import Summary, as_json, as_text, list_problem
from crawler.run.folder import RunFacts, RunFolder
from crawler.runtime.siblings import Siblings


def carry_out(
    folder: RunFolder,
    facts: RunFacts,
    flags: RunFlags,
    trace: Path | None = None,
    store: Store | None = None,
    others: Siblings | None = None,
) -> int:
    """Run to the end and return the exit code; `trace` is the file that `flags` name, if it can be written.

    `store` is where the frontier is that several workers share, and `others` are those that this command starts.
    """
    if others and facts.config.parse.workers is None:
        facts = replace(facts, config=configure({"workers": readers(len(others) + 1)}, base=facts.config))
    config, quiet = facts.config, flags.quiet
    named = " ".join(source.name for source in facts.sources[:3]) or f"of the run {config.shared.name}"
    command = f"{facts.command} {named}"
    tracing = Tracing(trace, command, config.engine.concurrency) if trace else None
    observe = tracing.observer if tracing else None
    title = f"{command} -> {folder.path}"
    if not quiet and store is not None:
        click.echo(store.greeting(), err=True)
    if not quiet and (told := cookies_note(config.fetch, time.time())):
        click.echo(told, err=True)
    log(folder, f"{facts.command} begins or goes on as process {os.getpid()}")
    try:
        with _view(title, quiet=quiet, to_stdout=config.output.to_stdout) as view:
            show = Show(sample=view.sample, note=view.note, seconds=view.SECONDS, observe=observe)
            summary, signum = run(folder, facts, show, store, others)
    except ReaderGone as error:
        log(folder, f"ended early: {error}")
        if not quiet:
            click.echo(f"{error} (crawler resume {shlex.quote(safe(str(folder.path)))})", err=True)
        return error.exit_code
    except Exception as error:
        log(folder, f"ended by {type(error).__name__}: {error}")
        raise
    log(folder, as_text(summary, None).splitlines()[0])
    if tracing:
        tracing.write()
    if flags.as_json:
        click.echo(as_json(summary), nl=False)
    if not quiet:
        click.echo(_wrapped(as_text(summary, str(folder.path))), err=True)
        if store is not None:
            _show_share(store)
    _check_list(summary, folder)
    code = exit_code(summary, signum)
    is_taken = flags.as_json or config.output.to_stdout  # standard output is for a program
    if facts.command == "crawl" and config.scope.check and _show_broken(folder, to_stderr=is_taken, quiet=quiet):
        code = code or 1
    return code if others is None else _with_others(code, others, folder, quiet=quiet)


def _with_others(code: int, others: Siblings, folder: RunFolder, *, quiet: bool) -> int:
    """Return the exit code of this process and of the other workers that it has started."""
    if others.failure is None:
        return code
    if not quiet:
        path = shlex.quote(safe(str(folder.path)))
        click.echo(f"a worker has ended early: crawler resume {path} goes on with it", err=True)
    return code if code > 1 else others.failure


def _show_share(store: Store) -> None:
    with suppress(StorageError):  # all is committed, and the database may be away by now
        click.echo(f"  {store.share()}", err=True)


def _show_broken(folder: RunFolder, *, to_stderr: bool, quiet: bool) -> bool:
    """Print every broken link with the pages that contain it, and their number; return whether there is any."""
    found = 0
    for found, link in enumerate(folder.read_broken(), 1):  # noqa: B007 - the number of the last one is used
        click.echo("\n".join(broken_text(link)), err=to_stderr)
    told = f"{counted(found, 'broken link')}: {safe(str(folder.broken))}" if found else "no broken link"
    if not quiet:
        click.echo(told, err=True)
    return bool(found)


def check(config: RunConfig, flags: RunFlags) -> None:
    """Refuse options that cannot work before anything is made: a missing file, a bad proxy, two users of stdout.

    Raises:
        UsageError: it names the option.
    """
    if flags.as_json and config.output.to_stdout:
        raise UsageError("--json and --save -: give one of them, both use standard output; see also summary.json")
    check_processes(flags.processes, config)
    check_files(config)


def _check_list(summary: Summary, folder: RunFolder) -> None:
    """Refuse a list without a single URL, unless it is empty.

    Raises:
        UsageError: it names the file of the rejected lines.
    """
    problem = list_problem(summary.discovered, summary.lines)
    if problem and not summary.stopped_by:
        raise UsageError(f"{problem}: see {folder.rejected}")


def exit_code(summary: Summary, signum: int | None) -> int:
    """Return 0 = done; 1 = done, some URLs failed, were cut or redirect too often; 9, 130 or 143 = ended early."""
    if summary.stopped_by == NO_NAME_SERVER:
        return NoNameServer.exit_code
    if signum is not None and summary.stopped_by is not None:
        return 128 + signum
    return 1 if summary.failed or summary.unread or summary.skipped.get(Reason.HOP_LIMIT) else 0


def log(folder: RunFolder, text: str) -> None:
    """Add a line to the run's `crawler.log`; a full disk drops it, since the run's own error matters more."""
    stamp = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with suppress(OSError), folder.log.open("a", encoding="utf-8") as file:
        file.write(f"{stamp} {safe(' '.join(text.split()), 1000)}\n")


def _wrapped(text: str) -> str:
    """Wrap the text to the terminal's width, if there is one, between words."""
    if not sys.stderr.isatty():
        return text
    width = os.get_terminal_size(sys.stderr.fileno()).columns or 80  # 0 = the terminal does not know
    wrap = partial(fill, width=width, subsequent_indent=" " * 11, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(wrap, text.splitlines()))


class _View(Protocol):
    """A display of the run's progress."""

    SECONDS: float

    @property
    def note(self) -> Callable[[str], None]: ...
    def sample(self, sample: Sample) -> None: ...


def _view(title: str, *, quiet: bool, to_stdout: bool) -> AbstractContextManager[_View]:
    """Return a display that redraws itself if nothing else writes to the same terminal, else plain lines."""
    if quiet:
        return SilentView()
    if sys.stderr.isatty() and not to_stdout:
        from rich.console import Console

        from crawler.live.terminal import TerminalView

        return TerminalView(Console(stderr=True), title)
    return PlainView(sys.stderr)
