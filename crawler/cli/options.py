"""Command-line options made from the config's knobs, so that each is described once.

Rules
- The knob's kind reads a flag's text. A flag that was not given is not in the result, so a file's value stands.
- `env:NAME` and `file:PATH` stand for a secret; only the reference is ever stored.
Runs on: the main thread.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from crawler.core.config import OPTIONS, FetchConfig
from crawler.core.errors import UsageError
from crawler.core.options import Option, OptionKind

_TITLES = {
    "output": "Output",
    "lists": "The lists",
    "scope": "Which links to follow",
    "engine": "How much at once",
    "politeness": "Politeness",
    "budget": "When to stop early",
    "parse": "Documents",
    "fetch": "Requests",
    "shape": "How much, and when",
    "request": "What is asked",
    "gate": "What must hold",
    "job": "The job",
    "crew": "Who does it",
}
_HARMLESS_HEADER = re.compile(r"(accept(-\w+)?|user-agent|referer|from|cache-control|dnt):", re.IGNORECASE)
_REFERENCE = re.compile(r"(env|file):([^\x00-\x1f\x7f]+)")  # no name of a variable or file that one could type

Values = Mapping[str, object]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

RUN_FLAGS: tuple[Decorator, ...] = (
    click.option("--quiet", is_flag=True, help="Show nothing but errors."),
    click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output."),
    click.option(
        "--trace", metavar="FILE", help="Write the times of all steps as a trace for `crawler timeline` and Perfetto."
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFlags:
    """Flags of every command that carries a run out, besides its knobs: `RUN_FLAGS`."""

    quiet: bool
    as_json: bool
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
            _flag(option, "" if resuming else _default(option), hidden=not chosen(option))
            for option in options.values()
            if resuming or chosen(option)
        )
    )


def _flag(option: Option, default: str = "", *, hidden: bool = False) -> Decorator:
    kind = option.help.kind
    parameter = option.name.replace("-", "_")
    text = option.help.text + default
    if kind is OptionKind.FLAG:
        return click.option(f"--{option.name}/--no-{option.name}", parameter, default=None, help=text, hidden=hidden)
    return click.option(
        *([f"-{option.help.short}"] if option.help.short else []),
        f"--{option.name}",
        parameter,
        metavar=option.metavar,
        multiple=kind.value.is_repeatable,
        default=None,
        help=text,
        hidden=hidden,
    )


def _default(option: Option) -> str:
    default = option.default
    if default in (None, ()):
        return ""
    if option.help.kind is OptionKind.FLAG:
        return "  [default: on]" if default else "  [default: off]"
    if option.help.kind is OptionKind.BYTES and isinstance(default, int):
        return f"  [default: {default // 1024 // 1024}M]"
    return f"  [default: {default:g}]" if isinstance(default, float) else f"  [default: {default}]"


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


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values of options, with every reference looked up.

    Attributes:
        values: all options, as the config takes them.
        given: secret options as they were given, references among them.
        stored: those of them that may be stored, since they are references or hold nothing secret.
        needs: secret options that were typed in: a resume must be given them again.
    """

    values: Values
    given: Values
    stored: Values
    needs: tuple[str, ...]


def look_up(values: Values) -> Secrets:
    """Replace each reference to a secret by its value.

    Raises:
        UsageError: a variable is not set, or a file cannot be read.
    """
    secret = {name: value for name, value in values.items() if name in OPTIONS and OPTIONS[name].help.secret}
    resolved = {name: _resolved(name, value) for name, value in secret.items()}
    stored = {name: value for name, value in secret.items() if all(_may_store(name, text) for text in _texts(value))}
    needs = tuple(name for name in secret if name not in stored)
    return Secrets({**values, **resolved}, secret, stored, needs)


def told(config: FetchConfig, secrets: Values) -> list[str]:
    """Name everything of this user's that stored options send: the author of the options chose it, and who gets it."""
    files = {"load-cookies": config.cookies_file, "client-cert": config.client_cert}
    found = [f"the file {path} as --{name}" for name, path in files.items() if path is not None]
    for name, value in secrets.items():
        for head, rest in (_split(name, text) for text in _texts(value)):
            if match := _REFERENCE.fullmatch(rest):
                what = f"the value of ${match[2]}" if match[1] == "env" else f"the content of {match[2]}"
                found.append(f"{what} in header {head[:-1]}" if head else f"{what} as --{name}")
    return found


def _texts(value: object) -> Iterable[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _split(name: str, text: str) -> tuple[str, str]:
    """Return the text before a header's value, and the value; other options are all value."""
    if name != "header":
        return "", text
    head, colon, rest = text.partition(":")
    return head + colon, rest.strip()


def _may_store(name: str, text: str) -> bool:
    head, rest = _split(name, text)
    if _REFERENCE.fullmatch(rest):
        return True
    if name == "header":
        return bool(_HARMLESS_HEADER.fullmatch(head))
    return name == "proxy" and "@" not in rest


def _resolved(name: str, value: object) -> object:
    if isinstance(value, list):
        return [_resolved(name, item) for item in value]
    if not isinstance(value, str):
        return value
    head, rest = _split(name, value)
    if not (match := _REFERENCE.fullmatch(rest)):
        return value
    kind, where = match.groups()
    try:
        return head + (os.environ[where] if kind == "env" else Path(where).read_text("utf-8").rstrip("\r\n"))
    except KeyError:
        raise UsageError(f"--{name}: the environment variable {where} is not set") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--{name}: {where}: {error}") from None
