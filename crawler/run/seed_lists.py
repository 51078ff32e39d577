"""Lists within `seeds.txt`: the first line of each, its table, and the list that a line came from.

Runs on: the main thread; `rejected_entry` also on the storage thread.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from crawler.core.leases_and_commits import RejectedLine
from crawler.run.list_table import Separator, Table


class SeedList(msgspec.Struct, frozen=True, rename="kebab", omit_defaults=True):
    """A list that was copied into `seeds.txt`, as `config.toml` spells it.

    Attributes:
        first_line: its first line in `seeds.txt`, from 1.
        is_line: it is no list, but a line that stood on the command line.
        column, separator, header: those of its table; column None = its lines are no rows.
    """

    name: str
    first_line: int
    is_line: bool = False
    column: Annotated[int, Meta(ge=1)] | None = None
    separator: Separator = ","
    header: int | None = None

    @property
    def table(self) -> Table:
        """Return the table that its lines are read as."""
        return Table(first_line=self.first_line, column=self.column, separator=self.separator, header=self.header)


def place_of(sources: Sequence[SeedList], line: int) -> str:
    """Return the origin of a line of `seeds.txt`, in words: the list and the line of it."""
    source = _source(sources, line)
    if source.is_line:
        return "named on the command line"
    name = "standard input" if source.name == "-" else source.name
    return f"in line {line - source.first_line + 1:,} of {name}"


def _source(sources: Sequence[SeedList], line: int) -> SeedList:
    return next((source for source in reversed(sources) if source.first_line <= line), SeedList("the list", 1))


def rejected_entry(line: RejectedLine, sources: Sequence[SeedList]) -> dict[str, object]:
    """Spell a line of `rejected.jsonl`; of several lists, it names the one that the line came from."""
    source = _source(sources, line.line)
    own = {"source": source.name, "source_line": line.line - source.first_line + 1} if len(sources) > 1 else {}
    return {"line": line.line, **own, "reason": line.reason, "message": line.message, "text": line.text}
