"""core.options: how a knob is described once and read from everywhere."""

import math
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import UsageError
from crawler.core.options import Help, Option, OptionKind, check_names, options_of, plain, read_option

READ = [
    (OptionKind.COUNT, "12", 12),
    (OptionKind.COUNT, " 1 ", 1),
    (OptionKind.COUNT, 12, 12),
    (OptionKind.COUNT_OR_NONE, "0", 0),
    (OptionKind.COUNT_OR_NONE, 0, 0),
    (OptionKind.FACTOR, "2x", 2.0),
    (OptionKind.FACTOR, "0.5", 0.5),
    (OptionKind.FACTOR, True, 1.0),
    (OptionKind.DELAY, "30", 30.0),
    (OptionKind.DELAY, "1.5 s", 1.5),
    (OptionKind.DELAY, "10m", 600.0),
    (OptionKind.DELAY, "2H", 7200.0),
    (OptionKind.DELAY, "1d", 86400.0),
    (OptionKind.DELAY, 0, 0.0),
    (OptionKind.DELAY, 0.25, 0.25),
    (OptionKind.DELAY, "auto", None),
    (OptionKind.SECONDS, "1.5 s", 1.5),
    (OptionKind.TIME_LIMIT, "0.001", 0.001),
    (OptionKind.TIME_LIMIT, 5, 5.0),
    (OptionKind.BYTES, "500000", 500_000),
    (OptionKind.BYTES, "16M", 16 * 1024**2),
    (OptionKind.BYTES, "1.5k", 1536),
    (OptionKind.BYTES, "2 GiB", 2 * 1024**3),
    (OptionKind.BYTES, "2gb", 2 * 1024**3),
    (OptionKind.BYTES, "7b", 7),
    (OptionKind.BYTES, 7, 7),
    (OptionKind.RATE, "0.5", 0.5),
    (OptionKind.RATE, 100, 100.0),
    (OptionKind.FLAG, False, False),
    (OptionKind.TEXT, "a b", "a b"),
    (OptionKind.CONTACT, "me@example.org", "me@example.org"),
    (OptionKind.CONTACT, "https://example.org/~me?bot#top", "https://example.org/~me?bot#top"),
    (OptionKind.TEXTS, ["a", "b"], ("a", "b")),
    (OptionKind.TEXTS, (), ()),
    (OptionKind.HEADERS, ["X-A: 1", "x-b:2:3 "], (("X-A", "1"), ("x-b", "2:3"))),
    (OptionKind.HEADERS, ("X-Empty:",), (("X-Empty", ""),)),
    (OptionKind.USER, "me:a:b", ("me", "a:b")),
    (OptionKind.USER, "me:", ("me", "")),
]

REFUSED: list[tuple[OptionKind, list[object]]] = [
    (OptionKind.COUNT, ["0", "-1", "1.5", "", "1e3", "1_000", "9" * 16, 0, True, 1.0, None, [1], 10**15]),
    (OptionKind.COUNT_OR_NONE, ["-1", -1, False]),
    (OptionKind.FACTOR, ["0", "x", "-1", "200%", "http://h/", "1e9", False, 0, None]),
    (OptionKind.DELAY, ["-1", "1w", "1 2", "", "nan", "1e3", -0.5, math.nan, math.inf, True, None, 10**400]),
    (OptionKind.TIME_LIMIT, ["0", "0s", 0, 0.0, -1]),
    (OptionKind.BYTES, ["0", "0.5", "1x", "-1", "16MM", "1 s", 0, 0.9, None, 10**400]),
    (OptionKind.RATE, ["0", "-1", "nan", "inf", "fast", 0, True, None, math.inf, 10**400]),
    (OptionKind.FLAG, ["true", "yes", 1, 0, None]),
    (OptionKind.TEXT, ["", "two\nlines", "\x1b[31m", "\x00", 5, None]),
    (
        OptionKind.CONTACT,
        ["me", "@", "a@b@c", "a b@c", "a@b\n", "a@b\r\nX: y", "a@b)", "(a@b", "a\\@b", "ä@b", "http://", 5, None],
    ),
    (OptionKind.CONTACT, ["a" * 500 + "@b", "\x1b@b", "ftp://h/"]),
    (OptionKind.TEXTS, ["alone", ["ok", ""], [1], {"a": 1}, None]),
    (OptionKind.HEADERS, ["X-A: 1", ["no colon"], [": v"], ["X A: 1"], ["X-A: 1\r\nX-B: 2"], ["X-Ä: 1"], [5]]),
    (OptionKind.USER, ["", "alone", ":secret", "me:a\nb", 5, None]),
]


def short(value: object) -> str:
    """A name for a test that fits on a line."""
    return repr(value)[:20]


def an_option(kind: OptionKind, *, secret: bool = False) -> Option:
    """A knob of its own."""
    return Option(group="g", field="f", name="knob", help=Help("Turns.", kind, secret=secret), default=None)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A small config."""

    how_many: Annotated[int, Help("How many.", OptionKind.COUNT)] = 7
    renamed: Annotated[str, Help("What.", OptionKind.TEXT, flag="other", metavar="WORD")]
    internal: int = 0


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A config of small configs."""

    part: Part = msgspec.field(default_factory=lambda: Part(renamed=""))


@pytest.mark.parametrize(("kind", "value", "read"), READ)
def test_a_kind_reads_flags_and_toml_values(kind: OptionKind, value: object, read: object) -> None:
    """Text from a command line and native values give the field's value, of the field's type."""
    found = read_option(an_option(kind), value)

    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in REFUSED for value in values], ids=short)
def test_a_kind_refuses_what_it_does_not_take(kind: OptionKind, value: object) -> None:
    """The refusal names the option, what is expected and what was given."""
    with pytest.raises(UsageError, match=r"^--knob: expected .+, got .") as caught:
        read_option(an_option(kind), value)

    assert len(str(caught.value)) < 200


@given(kind=st.sampled_from(OptionKind), value=st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_no_value_raises_anything_but_a_usage_error(kind: OptionKind, value: object) -> None:
    """Any value of a command line or a TOML file is read or refused."""
    try:
        read_option(an_option(kind), value)
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017 - not raising is fine too


@pytest.mark.parametrize("kind", OptionKind)
def test_a_refused_secret_is_not_repeated(kind: OptionKind) -> None:
    """The message for a secret option never holds what was given for it."""
    given = ["hunter2\n\ud800"] if kind.value.is_repeatable else "hunter2\n\ud800"

    with pytest.raises(UsageError) as caught:
        read_option(an_option(kind, secret=True), given)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_options_derive_from_the_fields() -> None:
    """Each annotated field is an option: its name with dashes or the one it was given, its default and metavar."""
    found = {option.name: option for option in options_of(Whole)}

    assert list(found) == ["how-many", "other"]
    assert (found["how-many"].group, found["how-many"].field, found["how-many"].default) == ("part", "how_many", 7)
    assert (found["other"].field, found["other"].default) == ("renamed", None)
    assert [option.metavar for option in found.values()] == ["N", "WORD"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("how_many", "; did you mean 'how-many'"),
        ("how-mnay", "; did you mean 'how-many'"),
        ("othr", "; did you mean 'other'"),
        ("zzz", "; known: how-many, other"),
    ],
)
def test_an_unknown_name_gets_the_nearest_known_one(name: str, hint: str) -> None:
    """A misspelt option is refused with the one that was probably meant, or else with all there are."""
    known = {option.name: option for option in options_of(Whole)}

    with pytest.raises(UsageError, match=rf"^run.toml: there is no option '{name}'{hint}"):
        check_names({name: 1}, known, "run.toml")


def test_known_names_pass() -> None:
    """Names that exist are no error."""
    check_names({"other": 1}, {option.name: option for option in options_of(Whole)}, "run.toml")


@pytest.mark.parametrize(("kind", "value"), [(OptionKind.TEXTS, ["a", "b"]), (OptionKind.HEADERS, ["X-A: 1", "X-B: "])])
def test_a_plain_value_is_read_back(kind: OptionKind, value: list[str]) -> None:
    """A field that is written to TOML is read back the same."""
    option = an_option(kind)
    read = read_option(option, value)

    assert read_option(option, plain(read)) == read
