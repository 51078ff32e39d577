"""A run's folder: its files, its beginning, and the facts that a resume needs.

Rules
- An existing run is never overwritten. `config.toml` appears only once `seeds.txt` is whole, so a folder with a
  `config.toml` can always be resumed.
Runs on: the main thread before the loop starts.
"""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import tomli_w
from msgspec import field
from msgspec.structs import replace

from crawler.core.config import OPTIONS, RunConfig, configure, plain_values
from crawler.core.errors import DiskFull, StorageDamaged, UrlError, UsageError
from crawler.core.leases_and_commits import BrokenLink, RejectedLine
from crawler.core.text import safe
from crawler.run.disk import disk_gate, partial_of, read_toml, size_of, sync_folder, write_whole
from crawler.run.list_line import read
from crawler.run.list_reader import LONGEST_LINE
from crawler.run.list_table import ROWS, Table, is_row, table_of
from crawler.run.seed_lists import SeedList, rejected_entry
from crawler.run.sources import copy_source, is_line
from crawler.version import __version__

_ENCODER = msgspec.json.Encoder()


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `config.toml`.

    Attributes:
        config: every option; of those that are secret only what this process has looked up, since none is stored.
        secrets: secret options by name, as references (`env:NAME`) or where they hold nothing secret.
        needs: secret options that were typed in: a resume must be given them again.
        seeds_bytes: the size of `seeds.txt`, which does not change once it is whole.
        worker: the number of this folder's worker in a run that several share; None = the run is this folder's alone.
    """

    command: str
    sources: tuple[SeedList, ...]
    config: RunConfig = field(default_factory=RunConfig)
    secrets: Mapping[str, object] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    seeds_bytes: int = 0
    worker: int | None = None

    @property
    def tables(self) -> tuple[Table, ...]:
        """Return the tables of all sources, in their order."""
        return tuple(source.table for source in self.sources)


class _Run(msgspec.Struct, rename="kebab"):
    """Table `run` of `config.toml`."""

    command: str
    sources: tuple[SeedList, ...]
    seeds_bytes: int
    needs: tuple[str, ...]
    worker: int | None = None


class RunFolder:
    """Files of the run in `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.seeds = path / "seeds.txt"
        self.frontier = path / "frontier.sqlite"
        self.board = path / "frontier.board"
        self.pages = path / "pages.jsonl"
        self.rejected = path / "rejected.jsonl"
        self.broken = path / "broken.jsonl"
        self.summary = path / "summary.json"
        self.log = path / "crawler.log"

    @property
    def is_new(self) -> bool:
        """Return whether nothing has been committed yet; a frontier missing beside output is damage, not a beginning.

        The frontier's size tells nothing: a kill within the first commit leaves pages that the next opening rolls back.
        """
        return not (size_of(self.pages) or size_of(self.board))

    def create(self) -> None:
        """Make the folder.

        Raises:
            UsageError: it holds anything, or cannot be made.
        """
        if self.config.exists() or self.frontier.exists():
            command = f"crawler resume {shlex.quote(safe(str(self.path)))}"
            raise UsageError(f"{self.path} holds a run already: go on with `{command}`, or give another --output")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if any(self.path.iterdir()):
                raise UsageError(f"{self.path} exists and is not an empty folder: give another --output")
        except FileExistsError:
            raise UsageError(f"{self.path} is a file: give another --output") from None
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}; give another --output") from None

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Make the folder for the block that fills it; remove it if the block fails."""
        was_there = self.path.is_dir()
        self.create()
        try:
            yield
        except DiskFull:
            self._undo(was_there=was_there)
            raise DiskFull(f"{self.path}: no space left on the disk; free some and start again") from None
        except BaseException:
            self._undo(was_there=was_there)
            raise

    def _undo(self, *, was_there: bool) -> None:
        for path in (self.seeds, self.config):
            partial_of(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        if not was_there:
            self.path.rmdir()

    def write_seeds(self, urls: Iterable[str]) -> tuple[SeedList, ...]:
        """Write URLs, or lines `Sitemap: URL`, into `seeds.txt`, one a line.

        Raises:
            UsageError: one of them is no URL.
        """
        with disk_gate(str(self.seeds)):
            write_whole(self.seeds, map(_line, urls))
        return (SeedList("seeds", 1),)

    def copy_seeds(self, sources: Sequence[str], column: str | None = None) -> tuple[SeedList, ...]:
        """Copy every list into `seeds.txt`; `-` is standard input, `column` the one that is read of tables.

        Raises:
            UsageError: a list has no such column.
        """
        found: list[SeedList] = []
        line = 1
        partial = partial_of(self.seeds)
        with disk_gate(str(self.seeds)):
            with partial.open("w+b") as out:
                for source in sources:
                    start, lines = out.tell(), copy_source(source, out)
                    seeds = SeedList(source, line, is_line(source))
                    if column is not None and not seeds.is_line:
                        table = table_of(source, column, line, _head(out, start))
                        seeds = replace(seeds, column=table.column, separator=table.separator, header=table.header)
                    found.append(seeds)
                    line += lines
                out.flush()
                os.fsync(out.fileno())
            partial.rename(self.seeds)
            sync_folder(self.path)
        return tuple(found)

    def write_facts(self, facts: RunFacts) -> None:
        """Write `config.toml`: from here on the run can be resumed."""
        write_whole(self.config, [facts_text(facts).encode()])

    def read_facts(self) -> RunFacts:
        """Read the facts that the run was started with; no secret is looked up.

        Raises:
            UsageError: there is no run here, its list was never read completely, or an option is none.
            StorageDamaged: `config.toml` cannot be read.
        """
        if not self.config.exists():
            raise UsageError(_no_run(self.path))
        if not self.seeds.exists():
            raise UsageError(f"{self.path}: seeds.txt is missing; put it back, or start a new run")
        try:
            data = read_toml(self.config)
        except UsageError as error:
            raise StorageDamaged(f"{self.config} is damaged ({error}); restore it, or start a new run") from None
        return facts_from(data, str(self.config))

    def seeds_damage(self, facts: RunFacts) -> str | None:
        """Return the damage of `seeds.txt` as a sentence; None = it is as long as it was when it was whole."""
        if (size := size_of(self.seeds)) == facts.seeds_bytes:
            return None
        what = "was cut" if size < facts.seeds_bytes else "has grown"
        return f"{self.seeds.name} {what}: {size} bytes instead of {facts.seeds_bytes}; restore it, or start a new run"

    def write_summary(self, summary: bytes) -> None:
        """Write `summary.json`, as of the end of this life."""
        write_whole(self.summary, [summary])

    def write_broken(self, links: Iterable[BrokenLink]) -> None:
        """Write `broken.jsonl`: a line for each broken link."""
        write_whole(self.broken, (_ENCODER.encode(link) + b"\n" for link in links))

    def read_broken(self) -> Iterator[BrokenLink]:
        """Yield the links that `write_broken` wrote."""
        with self.broken.open("rb") as file:
            for line in file:
                yield msgspec.json.decode(line, type=BrokenLink)

    def write_rejected(self, lines: Iterable[RejectedLine], sources: Sequence[SeedList]) -> None:
        """Write `rejected.jsonl`, derived from the frontier: every line that did not become a URL of its own."""
        write_whole(self.rejected, (_ENCODER.encode(rejected_entry(line, sources)) + b"\n" for line in lines))


def facts_text(facts: RunFacts) -> str:
    """Return the content of `config.toml`."""
    head = f"# A run of crawler {__version__}. `crawler resume` reads this file; `--config` takes it too.\n\n"
    run: dict[str, object] = {
        "command": facts.command,
        "sources": [msgspec.to_builtins(source) for source in facts.sources],
        "seeds-bytes": facts.seeds_bytes,
        "needs": list(facts.needs),
    }
    if facts.worker is not None:
        run["worker"] = facts.worker
    options = {**plain_values(facts.config), **facts.secrets}
    return head + tomli_w.dumps({**options, "run": run})


def facts_from(data: dict[str, Any], where: str) -> RunFacts:
    """Return the facts in the decoded content of a `config.toml`, which stands in `where`.

    Raises:
        UsageError: an option is none.
        StorageDamaged: this is no such content.
    """
    try:
        run = msgspec.convert(data.pop("run", None), _Run)
    except msgspec.ValidationError as error:
        raise StorageDamaged(f"{where} is damaged ({error}); restore it, or start a new run") from None
    secrets = {name: value for name, value in data.items() if name in OPTIONS and OPTIONS[name].help.secret}
    options = {name: value for name, value in data.items() if name not in secrets}
    return RunFacts(
        command=run.command,
        sources=run.sources,
        config=configure(options, where=where),
        secrets=secrets,
        needs=run.needs,
        seeds_bytes=run.seeds_bytes,
        worker=run.worker,
    )


def _head(out: BinaryIO, start: int) -> list[str]:
    """Read the lines from `start` on, up to `ROWS` rows and `LONGEST_LINE` bytes each; then seek to the end."""
    lines: list[str] = []
    rows = 0
    out.seek(start)
    while rows < ROWS and (raw := out.readline(LONGEST_LINE)):
        lines.append(raw.decode("utf-8-sig", "replace").strip("\r\n"))
        rows += is_row(lines[-1])
    out.seek(0, os.SEEK_END)
    return lines


def _line(url: str) -> bytes:
    try:
        read(url.strip())
    except UrlError as error:
        raise UsageError(f"{safe(url, 80)}: {error}") from None
    return f"{url.strip()}\n".encode()


def _no_run(path: Path) -> str:
    """Return the message for a `path` without a `config.toml`; it names a run nearby, if there is one."""
    shown = safe(str(path))
    if path.is_file():
        known = f" of a run: name the folder, {safe(str(path.parent))}"
        return f"{shown} is a file{known if _is_run(path.parent) else ', and no folder of a run'}"
    if not path.is_dir():
        return f"{shown}: there is no such folder"
    if any(path.glob("*.partial")):
        return f"{shown} holds no run, only its beginning: remove it, and start again"
    if runs := sorted(config.parent for config in path.glob("*/config.toml") if _is_run(config.parent)):
        rest = f" and {len(runs) - 1} more do" if len(runs) > 1 else " does"
        return f"{shown} holds no run itself; {safe(str(runs[0]))}{rest}"
    return f"{shown} holds no run: `crawler crawl` or `crawler fetch` would begin one"


def _is_run(folder: Path) -> bool:
    return (folder / "config.toml").exists() and (folder / "seeds.txt").exists()
