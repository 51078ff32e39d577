"""The options of a script: a keyword for each, and the values that Python has for them.

Rules
- A keyword is the name of an option's field, and the same wherever the option exists: `headers`, `auth`, `bearer`,
  `cookies_file`, `insecure_hosts`.
- A value is written as a line of TOML is, and read by the option's own reader.
- None means "not given", for every option.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from crawler.core.errors import UsageError
from crawler.core.options import Option, OptionKind, check_names

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]


def by_keyword(options: Iterable[Option]) -> dict[str, Option]:
    """Return options by their keywords."""
    return {{"basic_auth": "auth"}.get(option.field, option.field): option for option in options}


def values_of(given: Mapping[str, object], options: Mapping[str, Option], where: str) -> dict[str, object]:
    """Return the values that are given, by the names of their options; `where` is the function that was called.

    Raises:
        UsageError: a keyword is unknown, or a value has the wrong shape.
    """
    check_names(given, options, where)
    return {options[name].name: written(options[name], value) for name, value in given.items() if value is not None}


def written(option: Option, value: object) -> object:
    """Return the value of a keyword as a line of TOML holds it.

    Raises:
        UsageError: it has the wrong shape.
    """
    kind = option.help.kind
    if kind is OptionKind.HEADERS:
        return [f"{name}: {text}" for name, text in pairs_of("headers", value)]
    if kind is OptionKind.USER:
        return _user(value)
    if kind is OptionKind.TEXTS and isinstance(value, Iterable) and not isinstance(value, str):
        return list(value)
    return str(value) if isinstance(value, PurePath) else value


def pairs_of(keyword: str, value: object) -> list[tuple[str, str]]:
    """Return the names and values of a mapping, or of pairs.

    Raises:
        UsageError: it is neither, or not all of them are text.
    """
    pairs = items_of(value)
    if not all(isinstance(pair, tuple | list) and [*map(type, pair)] == [str, str] for pair in pairs):
        raise UsageError(f"{keyword}: expected a mapping of texts, such as {{'name': 'value'}}, or pairs of texts")
    return [(name, text) for name, text in pairs]


def items_of(value: object) -> list[Any]:
    """Return the items of a mapping or of an iterable, unchecked; of anything else one item, None, that is no pair."""
    items = value.items() if isinstance(value, Mapping) else value
    return list(items) if isinstance(items, Iterable) and not isinstance(items, str | bytes) else [None]


def _user(value: object) -> str:
    if not (isinstance(value, tuple | list) and [*map(type, value)] == [str, str]):
        raise UsageError("auth: expected (name, password)")
    name, password = value
    if ":" in name:
        raise UsageError("auth: a user name cannot hold a colon (RFC 7617)")
    return f"{name}:{password}"
