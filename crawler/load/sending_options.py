"""The options of a command that sends many load tests: its own, and those of `load` that say how to send a request.

Rule: an option that the command decides itself, such as the length of each test, does not exist in it.
Runs on: anywhere (pure).
"""

from collections.abc import Collection, Mapping
from typing import TypeVar

from crawler.core.options import Option, check_names, options_of, turned
from crawler.load.config import LOAD_OPTIONS

C = TypeVar("C")

_SHARED = {"connections", "processes", "poisson", "seed", "timeout", "grace", "expect-status", "expect-body"}
_GROUPS = {"request", "targets"}


def sending_options(config: type, *, names: Collection[str] = (), groups: Collection[str] = ()) -> Mapping[str, Option]:
    """Return the options of a command by their names, its own first.

    Args:
        config: the config of the command, with its own options in groups.
        names: more options of `load`.
        groups: more groups of such options.
    """
    shared = {
        name: option
        for name, option in LOAD_OPTIONS.items()
        if name in _SHARED or name in names or (option.group in {*_GROUPS, *groups} and name != "replay")
    }
    return {**_own(config), **shared}


def with_own_options(
    config: C, values: Mapping[str, object], options: Mapping[str, Option]
) -> tuple[C, dict[str, object]]:
    """Return the config with the command's own options set, and the values of the others, which are of `load`.

    Raises:
        UsageError: an option is unknown, or does not take its value.
    """
    check_names(values, options, "options")
    own = _own(type(config))
    mine = {name: value for name, value in values.items() if name in own}
    return turned(config, mine, own), {name: value for name, value in values.items() if name not in own}


def _own(config: type) -> dict[str, Option]:
    return {option.name: option for option in options_of(config)}
