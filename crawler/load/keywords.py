"""The options of a load test as the keywords of a script: their types, and their reading.

Rules
- A keyword is the name of an option's field. None means "not given", for every option.
- Targets, rows of a feed and the function of a user may be values of the script instead of files.
- A function runs in the process that has it: another process could not be given it.
Runs on: anywhere (pure).
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, TypedDict

from msgspec.structs import replace

from crawler.core.errors import UsageError
from crawler.core.keywords import Pairs, by_keyword, values_of
from crawler.core.options import Option, check_names
from crawler.load.config import LOAD_OPTIONS, LoadConfig
from crawler.load.contradictions import configure_load
from crawler.load.targets.in_memory import LoadTarget, feed_of_rows, readings

Seconds = float | str
"""A time in seconds, or as text with its unit: 1.5, "500ms", "2m"."""


class SendingOptions(TypedDict, total=False):
    """Options that say how a request is sent, and from where; those of each kind of load test."""

    connections: int | None
    processes: int | None
    poisson: bool | None
    seed: int | None
    timeout: Seconds | None
    grace: Seconds | None
    method: str | None
    headers: Pairs | None
    body: bytes | str | None
    body_file: str | Path | None
    chunked: bool | None
    chunk_size: int | str | None
    keep_alive: bool | None
    requests_per_connection: int | None
    unix_socket: str | Path | None
    ca_file: str | Path | None
    insecure: bool | None
    client_cert: str | Path | None
    client_key: str | Path | None
    key_password_file: str | Path | None
    sni: str | None
    tls_min: str | None
    tls_max: str | None
    i_may_test: str | None
    expect_status: int | str | Iterable[int] | None
    expect_body: bytes | str | None


class LoadOptions(SendingOptions, total=False):
    """Options of `crawler.load_test`; those left out, or None, have the defaults of `crawler load`."""

    duration: Seconds | None
    requests: int | None
    rate: float | None
    stages: str | None
    warmup: Seconds | None
    targets: str | Path | Iterable[str | LoadTarget] | None
    targets_format: str | None
    skip_broken: bool | None
    methods: str | Iterable[str] | None
    feed: str | Path | Iterable[Mapping[str, object]] | None
    shuffle: bool | None
    replay: float | str | None
    think: Seconds | None
    cookies: bool | None
    login: str | Path | None
    steps: bool | None
    script: str | Path | Callable[[Any], Awaitable[object]] | None
    thresholds: str | Iterable[str] | None
    abort: bool | None


class FileOptions(SendingOptions, total=False):
    """Options that name a file of targets, where no list in memory is taken."""

    targets: str | Path | None
    targets_format: str | None
    skip_broken: bool | None
    methods: str | Iterable[str] | None
    feed: str | Path | None
    shuffle: bool | None


class CapacityOptions(FileOptions, total=False):
    """Options of `crawler.find_capacity` besides the service level."""

    from_rate: float | None
    to_rate: float | None
    at_least: float | None
    window: Seconds | None
    settle: Seconds | None
    drain: Seconds | None


class CompareOptions(FileOptions, total=False):
    """Options of `crawler.compare` besides the tolerance."""

    rate: float | None
    blocks: int | None
    block: Seconds | None
    settle: Seconds | None
    think: Seconds | None
    cookies: bool | None
    login: str | Path | None
    steps: bool | None
    script: str | Path | None


OPTIONS = by_keyword(LOAD_OPTIONS.values())
KEYWORDS = {option.name: keyword for keyword, option in OPTIONS.items()}


def configure_by_keywords(given: Mapping[str, object], where: str) -> LoadConfig:
    """Return the config of a load test; `where` is the function that was called.

    Raises:
        UsageError: an option is unknown, has an impossible value, or contradicts another one.
    """
    check_names(given, OPTIONS, where)
    values = dict(given)
    targets, feed, script = (_in_memory(values, name) for name in ("targets", "feed", "script"))
    if script is not None:
        values["script"] = _name_of_script(script)
    config = configure_load(texts_of(values, OPTIONS, where))
    if script is not None and config.shape.processes > 1:
        raise UsageError(
            "--script: a function runs in this process: leave out --processes, or put it into a file and give its path"
        )
    if targets is not None and config.targets.targets_format is not None:
        raise UsageError("--targets-format: the targets are no file: leave it out")
    return replace(
        config,
        targets=replace(
            config.targets,
            items=None if targets is None else readings(targets),
            rows=None if feed is None else feed_of_rows(feed),
        ),
        users=replace(config.users, function=script),
    )


def texts_of(given: Mapping[str, object], options: Mapping[str, Option], where: str) -> dict[str, object]:
    """Return the values that are given, by the names of their options, as a line of TOML holds them.

    Raises:
        UsageError: a keyword is unknown, or a value has the wrong shape.
    """
    values = dict(given)
    for name in ("expect_status", "methods"):
        value = values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            values[name] = str(value)
        elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
            values[name] = ",".join(map(str, value))
    if isinstance(think := values.get("think"), int | float) and not isinstance(think, bool):
        values["think"] = f"{think:f}s"
    for name in ("thresholds", "slo"):
        if isinstance(values.get(name), str):
            values[name] = [values[name]]
    return values_of(values, options, where)


def _in_memory(values: dict[str, object], name: str) -> Any:
    """Return a value that is no path, and leave its name in its place; None = it is a path, or not given."""
    value = values.get(name)
    if value is None or isinstance(value, str | PurePath):
        return None
    values[name] = name
    return value


def _name_of_script(script: object) -> str:
    """Return the name of a coroutine function, or of an object that is called as one."""
    call = getattr(type(script), "__call__", None)  # noqa: B004 - the function itself is looked at
    if not inspect.iscoroutinefunction(script) and not inspect.iscoroutinefunction(call):
        raise UsageError("--script: expected a path, or an `async def user(u)`, which each user runs again and again")
    return str(getattr(script, "__qualname__", type(script).__qualname__))
