"""Command-line options made from the config's knobs, so that each is described once.

Rules
- The knob's kind reads a flag's text. A flag that was not given is not in the result, so a file's value stands.
- An option of another load tester is answered with the one here that does the same, where the command has it.
Runs on: the main thread.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from crawler.core.config import OPTIONS
from crawler.core.errors import UsageError
from crawler.core.options import Option, OptionKind

_TITLES = {
    "output": "Output",
    "lists": "Lists",
    "scope": "Links to follow",
    "engine": "Concurrency",
    "politeness": "Politeness",
    "budget": "Budgets",
    "cookies": "Requests",
    "parse": "Documents",
    "fetch": "Requests",
    "shared": "Many machines",
    "shape": "Load",
    "request": "Request",
    "targets": "Many targets",
    "users": "Users",
    "gate": "Thresholds",
    "search": "Search",
    "blocks": "Comparison",
    "job": "Job",
    "crew": "Models",
}
_FOREIGN = {
    **dict.fromkeys(("--concurrency", "--users", "--vus", "--clients"), ("-c",)),
    **dict.fromkeys(("--threads", "--workers"), ("-t",)),
    **dict.fromkeys(("--rps", "--qps", "--rate", "-R"), ("--rate", "--from", "--to")),
    **dict.fromkeys(("--data", "--payload"), ("--body",)),
    **dict.fromkeys(("-d", "--duration", "--time", "-z"), ("--duration", "--window", "--blocks", "--block")),
}  # names of other tools, and of `crawler load`; the names here, of which the command has some
Values = Mapping[str, object]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

RUN_FLAGS: tuple[Decorator, ...] = (
    click.option("--quiet", is_flag=True, help="Show nothing but errors."),
    click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output."),
    click.option(
        "--processes",
        metavar="N",
        type=click.IntRange(1, 256),
        default=1,
        help="Let so many processes work on the run, each as one of its workers; by default one. More need --frontier.",
    ),
    click.option(
        "--trace", metavar="FILE", help="Write the times of all steps as a trace for `crawler timeline` and Perfetto."
    ),
)


class RunFlags(msgspec.Struct, frozen=True, kw_only=True):
    """Flags of every command that carries a run out, besides its knobs: `RUN_FLAGS`."""

    quiet: bool
    as_json: bool
    processes: int
    trace: str | None


def with_parameters(*parameters: Decorator) -> Decorator:
    """Add arguments and flags to a command, in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for parameter in reversed(parameters):
            function = parameter(function)
        return function

    return decorate


class KnobCommand(click.Command):
    """Command whose `--help` groups the knobs by subject."""

    knobs: Mapping[str, Option] = OPTIONS

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; an option that other tools have is answered with the one that does the same here."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            own = {name for parameter in self.params for name in parameter.opts}
            meant = [name for name in _FOREIGN.get(error.option_name, ()) if name in own]
            if not meant:
                raise
            said = f"No such option {error.option_name!r}: here it is {' and '.join(meant)}"
            raise click.NoSuchOption(error.option_name, said, ctx=ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section per group of knobs."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                knob = self.knobs.get((parameter.name or "").replace("_", "-"))
                sections.setdefault(_TITLES[knob.group] if knob else "General", []).append(record)
        for title, records in sorted(sections.items(), key=lambda item: item[0] != "General"):
            with formatter.section(title):
                formatter.write_dl(records)


def knobs(
    chosen: Callable[[Option], bool] = lambda _: True,
    *,
    resuming: bool = False,
    options: Mapping[str, Option] = OPTIONS,
) -> Decorator:
    """Add a flag for every chosen knob; the command reads them with `given(parameters)`.

    `resuming`: no default is shown, since the run's own values apply, and the other knobs are hidden flags.
    """
    return with_parameters(
        *(
            _flag(option, shows_default=not resuming, hidden=not chosen(option))
            for option in options.values()
            if resuming or chosen(option)
        )
    )


def _flag(option: Option, *, shows_default: bool, hidden: bool) -> Decorator:
    kind, default = option.help.kind, option.default
    parameter = option.name.replace("-", "_")
    text = option.help.text
    if shows_default and default not in (None, ()):
        if kind is OptionKind.FLAG:
            shown = "on" if default else "off"
        elif kind is OptionKind.BYTES and isinstance(default, int):
            shown = f"{default // 1024 // 1024}M"
        else:
            shown = f"{default:g}" if isinstance(default, float) else f"{default}"
        text += f"  [default: {shown}]"
    if kind is OptionKind.FLAG:
        return click.option(f"--{option.name}/--no-{option.name}", parameter, default=None, help=text, hidden=hidden)
    # Given as None, `flag_value` would let each option stand alone: then `--save -` has no value, and `-` is a source.
    alone: dict[str, Any] = {} if option.help.bare is None else {"is_flag": False, "flag_value": option.help.bare}
    return click.option(
        *([f"-{option.help.short}"] if option.help.short else []),
        f"--{option.name}",
        parameter,
        metavar=option.metavar,
        multiple=kind.value.is_repeatable,
        **alone,
        default=None,
        help=text,
        hidden=hidden,
    )


def given(parameters: Values, options: Mapping[str, Option] = OPTIONS) -> dict[str, object]:
    """Return the knobs that were given on the command line, by option name."""
    return {
        option: list(value) if isinstance(value, tuple) else value
        for name, value in parameters.items()
        if (option := name.replace("_", "-")) in options and value is not None and value != ()
    }


def writable(option: str, name: str | None) -> Path | None:
    """Return the file that an option names, after a check before the work that it can be written.

    A file that did not exist does not exist afterwards: the work may be given up.

    Raises:
        UsageError: it cannot be written.
    """
    if name is None:
        return None
    if name == "-":
        raise UsageError(f"--{option}: expected a file, got '-': standard output has the report (./- is such a file)")
    path = Path(os.path.realpath(name))  # the target of a link, since it is made and removed here
    try:
        if path.is_dir():
            raise UsageError(f"--{option}: {name}: is a folder; expected a file")
        is_new = not path.exists()
        path.touch()
        if is_new:
            path.unlink()
    except OSError as error:
        raise UsageError(f"--{option}: {name}: {error.strerror}") from None
    return path
