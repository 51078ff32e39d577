"""core.text: text from outside, made safe to show."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.text import counted, duration, safe, size

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # Unicode's Bidi_Control


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\u001b[31mred\\u0007"),
        ("one\r\ntwo\tthree", "one\\u000d\\u000atwo\\u0009three"),
        ("\x7f\x9b", "\\u007f\\u009b"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("half \ud83d", "half \\ud83d"),
        ("grüße 漢字 😀 a\u0301", "grüße 漢字 😀 a\u0301"),
        ("", ""),
    ],
)
def test_what_could_act_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Escape sequences, line ends and disguises become visible; everything else stays."""
    assert safe(text) == shown


@pytest.mark.parametrize("control", BIDI)
def test_no_text_changes_its_direction(control: str) -> None:
    """Every bidirectional control is shown, not obeyed."""
    assert safe(f"a{control}b") == f"a\\u{ord(control):04x}b"


@given(st.text(st.characters()), st.integers(1, 50))
def test_any_text_becomes_one_printable_line(text: str, limit: int) -> None:
    """Any text is shown as one line that can be encoded, holds no control character and is cut at the limit."""
    shown = safe(text, limit)

    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert len(shown) <= 6 * limit


def test_a_long_text_ends_in_an_ellipsis() -> None:
    """A text at the limit is whole, one more is cut."""
    assert safe("x" * 500) == "x" * 500
    assert safe("x" * 501) == "x" * 499 + "…"
    assert safe("abcd", 3) == "ab…"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (16 * 1024**2, "16.0 MiB"),
        (1024**3 * 5 / 2, "2.5 GiB"),
        (1024**5, "1024.0 TiB"),
    ],
)
def test_sizes_are_told_in_the_unit_that_fits(count: float, shown: str) -> None:
    """Below 1024 of a unit, what is shown is in that unit."""
    assert size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.85, "850 ms"),
        (0.9996, "1.0 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 00 s"),
        (245, "4 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_durations_are_told_in_the_unit_that_fits(seconds: float, shown: str) -> None:
    """Rounding never shows 1000 ms, 60 s or 60 min."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0 lines"), (1, "1 line"), (2000, "2,000 lines")])
def test_things_are_counted_as_people_do(count: int, shown: str) -> None:
    """One thing is named in the singular."""
    assert counted(count, "line") == shown
