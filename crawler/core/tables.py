"""Tables and paragraphs for a terminal of 80 columns.

Runs on: anywhere (pure).
"""

from collections.abc import Collection, Iterable
from textwrap import wrap

WIDTH = 80


def columns(cells: Iterable[str], widths: Iterable[int], *, left: Collection[int] = (0,), gap: str = "") -> str:
    """Return one line of a table, without trailing blanks.

    Columns hold figures, flush right; the columns whose numbers are in `left` hold words, flush left. A cell that is
    wider than its column pushes the others to the right.
    """
    placed = (
        cell.ljust(width) if number in left else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return gap.join(placed).rstrip()


def paragraph(text: str, head: str = "", *, copyable: bool = False) -> list[str]:
    """Return a text behind its head, wrapped at WIDTH; further lines begin below the first word of the text.

    `copyable` keeps every word in one piece, a URL for example, even one that is wider than the terminal.
    """
    lines = wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=not copyable,
        break_on_hyphens=not copyable,
    )
    return lines or [head.rstrip()]
