"""The last words of a benchmark: what was asked, what was measured, and whether the claim holds."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of a verdict; `holds` None = a figure that is only reported."""

    asked: str
    wanted: object
    measured: object
    holds: bool | None


def exactly(asked: str, wanted: object, measured: object) -> Claim:
    """A claim that holds when both are equal."""
    return Claim(asked, wanted, measured, wanted == measured)


def at_most(asked: str, limit: float, measured: float, unit: str = "") -> Claim:
    """A claim that holds up to a limit."""
    return Claim(asked, f"<= {_text(limit)}{unit}", f"{_text(measured)}{unit}", measured <= limit)


def figure(asked: str, measured: object, wanted: object = "") -> Claim:
    """A measurement that nothing is claimed about."""
    return Claim(asked, wanted, measured, None)


def verdict(title: str, claims: Sequence[Claim]) -> int:
    """Show the claims; the exit code is 1 when one does not hold."""
    show(
        title,
        ("asked", "wanted", "measured", ""),
        [(c.asked, c.wanted, c.measured, mark(holds=c.holds)) for c in claims],
    )
    return int(any(claim.holds is False for claim in claims))


def mark(*, holds: bool | None) -> str:
    """Return the outcome of a claim, for a table's cell."""
    return "" if holds is None else "ok" if holds else "DOES NOT HOLD"


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; its first and last columns are aligned to the left, the others to the right."""
    lines = [tuple(map(_text, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(title)
    for line in lines:
        print("  " + "  ".join(_cell(line, widths, at) for at in range(len(widths))).rstrip())
    print(flush=True)


def _cell(line: Sequence[str], widths: Sequence[int], at: int) -> str:
    return line[at].ljust(widths[at]) if at in {0, len(widths) - 1} else line[at].rjust(widths[at])


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 0.1 or not value else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
