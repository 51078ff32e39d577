"""load.page.style: text that can be read in both schemes, and no rule that reaches out."""

import re
from itertools import pairwise

import pytest

from crawler.load.page.style import STYLE

LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,8})", block)) for block in re.findall(r":root\{([^}]*)\}", STYLE)
)
TEXT = [
    *((ink, ground) for ink in ("ink", "muted") for ground in ("ground", "card")),
    *((tone, "card") for tone in ("good", "warn", "bad", "info")),
    *((tone, f"{tone}-ground") for tone in ("good", "bad")),
]
LINES = [(colour, "card") for colour in ("blue", "violet", "rose", "teal", "muted", "k0", "k1", "k2", "k3", "k4", "k5")]


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    digits = colour[1:] if len(colour) > 4 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_stand_out_from_their_ground(scheme: dict[str, str]) -> None:
    """WCAG AA: 4.5 for text, 3 for the lines and areas that mean something."""
    faint = [pair for pair in TEXT if contrast(scheme[pair[0]], scheme[pair[1]]) < 4.5]
    faint += [pair for pair in LINES if contrast(scheme[pair[0]], scheme[pair[1]]) < 3]

    assert faint == []


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_each_step_of_the_heat_map_stands_out_further(scheme: dict[str, str]) -> None:
    """More answers are further from the ground, in both schemes."""
    steps = [contrast(scheme[f"h{level}"], scheme["card"]) for level in range(8)]

    assert steps == sorted(steps)
    assert all(after / before > 1.1 for before, after in pairwise(steps))


def test_both_schemes_have_the_same_names() -> None:
    """No colour is forgotten in one of them, and every colour that is used has a value."""
    assert set(LIGHT) == set(DARK)
    assert set(re.findall(r"var\(--([\w-]+)\)", STYLE)) == set(LIGHT)


def test_the_print_is_light() -> None:
    """The dark scheme is of screens only."""
    assert "@media screen and (prefers-color-scheme:dark)" in STYLE
