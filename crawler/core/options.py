"""The description of an option, and its reading from a command line, a TOML file or a keyword.

Rules
- An option is a field of a struct, annotated with `Help`; flags, TOML keys, `--help` and the reference derive from it.
- A message names an option as the command line does, `--max-pages`; the library translates it to keywords.
- Each kind reads text (a flag) and native values (TOML) alike; a refusal says what is expected.
Runs on: anywhere (pure).
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from enum import Enum
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import fields, replace

from crawler.core.errors import CrawlerError, UsageError

C = TypeVar("C")

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]{0,3})", re.IGNORECASE)
_CONTACT = re.compile(r"(?=[!-'*-\[\]-~]{3,500}\Z)(?:[^@]+@[^@]+|https?://.+)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")  # RFC 9110, 5.6.2
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")  # RFC 9110, 5.5: no controls but the tab


def _whole(value: object, least: int) -> int:
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 10**15:
        raise ValueError(f"a whole number, {least} or more")
    return value


def _number(value: object) -> float:
    """Return the value as a float; nan = it is no number, or a whole one beyond all floats."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _scaled(value: object, units: Mapping[str, float], wanted: str) -> float:
    if isinstance(value, str) and (match := _NUMBER.fullmatch(value.strip())):
        unit = match[2].lower().removesuffix("ib").removesuffix("b") if units is _UNITS else match[2].lower()
        if unit in units:
            return float(match[1]) * units[unit]
    number = math.nan if isinstance(value, str) else _number(value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(wanted)
    return number


def _seconds(value: object) -> float:
    return _scaled(value, _SECONDS, "seconds, such as 30, 1.5 or 10m")


def _positive_seconds(value: object) -> float:
    if (seconds := _seconds(value)) <= 0:
        raise ValueError("seconds above 0, such as 30, 1.5 or 10m")
    return seconds


def _delay(value: object) -> float | None:
    if value == "auto":
        return None
    try:
        return _seconds(value)
    except ValueError as error:
        raise ValueError(f"auto, or {error}") from None


def _bytes(value: object) -> int:
    if (size := int(_scaled(value, _UNITS, "a size, such as 500000, 16M or 2G"))) < 1:
        raise ValueError("a size of 1 or more, such as 500000, 16M or 2G")
    return size


def _rate(value: object) -> float:
    rate = _number(value.strip().removesuffix("/s") if isinstance(value, str) else value)
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError("a number above 0")
    return rate


def _factor(value: object) -> float:
    """Return a factor, written as a number or as `2x`; True, a keyword's way to say the flag alone, is 1."""
    factor = 1.0 if value is True else _number(value.strip().removesuffix("x") if isinstance(value, str) else value)
    if not 1e-6 <= factor <= 1e6:
        raise ValueError("a factor above 0, such as 2, 0.5 or 2x, written behind an equals sign")
    return factor


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("text of one line")
    return value


def _content(value: object) -> bytes:
    """Return bytes as they are, and text in UTF-8; a byte of the command line that is none stays that byte."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        pass
    raise ValueError("bytes, or text that can be written in UTF-8")


def _contact(value: object) -> str:
    """Return a contact for a comment of the User-Agent (RFC 9110, 5.6.5): no space, bracket or backslash."""
    if not (isinstance(value, str) and _CONTACT.fullmatch(value)):
        raise ValueError("an e-mail address or a URL, such as bot@example.org or https://example.org/bot")
    return value


def _many(value: object, example: str) -> tuple[object, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise ValueError(f'a list of texts, such as ["{example}"]')
    return tuple(value)


def _header(value: object) -> tuple[str, str]:
    name, colon, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    rest = rest.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(rest):
        raise ValueError("'Name: value'")
    return name, rest


def _user(value: object) -> tuple[str, str]:
    name, colon, password = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not colon or not name or not (name + password).isprintable():
        raise ValueError("NAME:PASS")
    return name, password


class _OptionReader(msgspec.Struct, frozen=True):
    metavar: str
    read: Callable[[object], Any]
    is_repeatable: bool = False


class OptionKind(Enum):
    """The kind of an option's value: its word in `--help`, and its reader for text and TOML values.

    `read` returns the field's value, or raises ValueError with the expected value.
    """

    COUNT = _OptionReader("N", lambda value: _whole(value, 1))
    COUNT_OR_NONE = _OptionReader("N", lambda value: _whole(value, 0))
    SECONDS = _OptionReader("SECONDS", _seconds)
    DELAY = _OptionReader("SECONDS|auto", _delay)
    TIME_LIMIT = _OptionReader("SECONDS", _positive_seconds)
    BYTES = _OptionReader("BYTES", _bytes)
    RATE = _OptionReader("N", _rate)
    FACTOR = _OptionReader("FACTOR", _factor)
    FLAG = _OptionReader("", _flag)
    TEXT = _OptionReader("TEXT", _text)
    CONTENT = _OptionReader("TEXT", _content)
    CONTACT = _OptionReader("TEXT", _contact)
    TEXTS = _OptionReader("TEXT", lambda value: tuple(map(_text, _many(value, "text"))), is_repeatable=True)
    HEADERS = _OptionReader(
        "'NAME: VALUE'", lambda value: tuple(map(_header, _many(value, "Name: value"))), is_repeatable=True
    )
    USER = _OptionReader("NAME:PASS", _user)


class Help(msgspec.Struct, frozen=True):
    """The help for one option.

    Attributes:
        text: one sentence; `{default}` is filled in.
        flag: its name, where that is not the field's.
        metavar: the word for its value, where the kind's is too plain.
        resumable: `resume` may change it; the others judge URLs or shape the output.
        secret: its value is never stored, only the name of the variable or file that holds it.
        short: its letter, where other tools have made one a habit.
        bare: its value where the flag is given without one; None = it takes a value.
    """

    text: str
    kind: OptionKind
    flag: str | None = None
    metavar: str | None = None
    resumable: bool = False
    secret: bool = False
    short: str | None = None
    bare: str | None = None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option, found in a config class."""

    group: str
    field: str
    name: str
    help: Help
    default: object

    @property
    def metavar(self) -> str:
        """Return the word for its value in `--help`."""
        return self.help.metavar or self.help.kind.value.metavar


def options_of(config: type) -> Iterator[Option]:
    """Yield the options of a config whose fields are small configs, in the order of their fields."""
    for group in fields(config):
        part = get_type_hints(config)[group.name]
        hints = get_type_hints(part, include_extras=True)
        for field in fields(part):
            helps = [note for note in getattr(hints[field.name], "__metadata__", ()) if isinstance(note, Help)]
            for help_ in helps:
                default = None if field.default is NODEFAULT else field.default
                name = help_.flag or field.name.replace("_", "-")
                yield Option(group=group.name, field=field.name, name=name, help=help_, default=default)


def read_option(option: Option, value: object, where: str = "") -> object:
    """Return the field's value for a flag's text or a TOML value; `where` is the file in which it stands.

    Raises:
        UsageError: the value is none that the option takes; the message says what is expected.
    """
    try:
        return option.help.kind.value.read(value)
    except ValueError as error:
        shown = " (value hidden)" if option.help.secret else f", got {repr(_culprit(option, value))[:80]}"
        place = f"{where}: " if where else ""
        raise UsageError(f"{place}--{option.name}: expected {error}{shown}") from None


def _culprit(option: Option, value: object) -> object:
    """Return the value that an option does not take: of a repeatable one, the first such item."""
    kind = option.help.kind.value
    for item in value if kind.is_repeatable and isinstance(value, list | tuple) else ():
        try:
            kind.read([item])
        except ValueError:
            return item
    return value


def plain(value: object) -> object:
    """Return a field's value as TOML writes it and `read_option` reads it back."""
    if isinstance(value, tuple):
        return [": ".join(item) if isinstance(item, tuple) else item for item in value]
    return value


_OPTION = re.compile(r"--(no-)?([a-z][a-z-]*[a-z])")


@contextmanager
def in_keywords(keywords: Mapping[str, str]) -> Iterator[None]:
    """Name keywords in errors that leave the block; see `name_keywords`."""
    try:
        yield
    except CrawlerError as error:
        name_keywords(error, keywords)
        raise


def name_keywords(error: CrawlerError, keywords: Mapping[str, str]) -> None:
    """Let an error name keywords in the place of options: `max_pages`, `robots=False`."""

    def keyword(found: re.Match[str]) -> str:
        no, name = found.groups()
        return keywords[name] + "=False" * bool(no) if name in keywords else found[0]

    error.args = tuple(_OPTION.sub(keyword, part) if isinstance(part, str) else part for part in error.args)


def check_names(names: Iterable[str], known: Collection[str], where: str) -> None:
    """Refuse a key that is no option, naming the nearest one that is."""
    for name in names:
        if name not in known:
            near = get_close_matches(name.replace("_", "-"), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"
            raise UsageError(f"{where}: there is no option {name[:60]!r}{hint}")


def turned(config: C, values: Mapping[str, object], options: Mapping[str, Option], where: str = "") -> C:
    """Return the config with these options set, each in its group; `where` is the file that they stand in.

    Raises:
        UsageError: a value that its option does not take.
    """
    found: Any = config
    for name, value in values.items():
        option = options[name]
        part = replace(getattr(found, option.group), **{option.field: read_option(option, value, where)})
        found = replace(found, **{option.group: part})
    whole: C = found
    return whole
