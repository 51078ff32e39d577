"""References to secrets: `env:NAME` and `file:PATH` stand for a secret option's value, and only they are stored.

Rules
- A harmless header, by its name, and a proxy or database without a password are stored as they are.
- A secret that was typed in is never stored; a resume must be given it again.
- The folder of a private database is stored absolute: a resume may come from elsewhere.
Runs on: the main thread.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from crawler.cli.options import Values
from crawler.core.config import OPTIONS, FetchConfig
from crawler.core.errors import UsageError

_HARMLESS_HEADER = re.compile(r"(accept(-\w+)?|user-agent|referer|from|cache-control|dnt):", re.IGNORECASE)
_EMBEDDED = "embedded:"
_REFERENCE = re.compile(r"(env|file):([^\x00-\x1f\x7f]+)")  # no name of a variable or file that one could type


class Secrets(msgspec.Struct, frozen=True):
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
    secret = {
        name: _absolute(value) if name == "frontier" else value
        for name, value in values.items()
        if name in OPTIONS and OPTIONS[name].help.secret
    }
    resolved = {name: _resolved(name, value) for name, value in secret.items()}
    stored = {name: value for name, value in secret.items() if all(_may_store(name, text) for text in _texts(value))}
    needs = tuple(name for name in secret if name not in stored)
    return Secrets({**values, **resolved}, secret, stored, needs)


class InVariables(msgspec.Struct, frozen=True):
    """Texts of an option in which secrets are references, and the environment variables that have the secrets."""

    texts: list[str]
    variables: dict[str, str]


def with_variables(name: str, value: object, needs: Sequence[str]) -> InVariables:
    """Return what another process is given for an option; `needs` are the options of which a secret was typed in."""
    texts: list[str] = []
    variables: dict[str, str] = {}
    for number, text in enumerate(map(str, value if isinstance(value, list) else [value])):
        head, rest = _split(name, text)
        if name not in needs or _may_store(name, text):
            texts.append(text)
            continue
        variable = f"CRAWLER_{name.upper().replace('-', '_')}_{number}"
        variables[variable] = rest
        texts.append(f"{head} env:{variable}".strip())
    return InVariables(texts, variables)


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


def _absolute(value: object) -> object:
    """Return the name of a database, whose folder is absolute if it is a private one."""
    if not isinstance(value, str) or not value.startswith(_EMBEDDED) or value == _EMBEDDED:
        return value
    return f"{_EMBEDDED}{Path(value.removeprefix(_EMBEDDED)).expanduser().absolute()}"


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
    if name == "frontier":
        return ":" not in urlsplit(rest).netloc.rpartition("@")[0]
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
