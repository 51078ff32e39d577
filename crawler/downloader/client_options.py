"""The options of a `Fetcher`: their keywords, types and checks.

Rules
- An option is a field of one of the configs in `FetcherConfig`, and is read as a flag or a line of TOML is, except that
  a number must be a number: text in its place is a mistake of the program.
- None means "not given", for every option.
Runs on: anywhere.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Annotated, Any, TypedDict

import msgspec
from msgspec.structs import replace

from crawler.core.config import EngineConfig, FetchConfig
from crawler.core.errors import UsageError
from crawler.core.keywords import Pairs, by_keyword, items_of, pairs_of, written
from crawler.core.options import Help, Option, OptionKind, check_names, options_of, read_option, turned
from crawler.downloader.cookie_jar import CookieJar

__all__ = [
    "KEYWORDS",
    "ClientConfig",
    "FetcherConfig",
    "Options",
    "Pairs",
    "fetcher_config",
    "items_of",
    "pairs_of",
    "read_keyword",
    "refuse_beside_session",
]


class Options(TypedDict, total=False):
    """Options of a `Fetcher`; those left out, or None, have the defaults of `FetcherConfig`."""

    concurrency: int | None
    follow_redirects: bool | None
    max_redirects: int | None
    retries: int | None
    cookies: bool | Mapping[str, str] | CookieJar | None
    cookies_file: str | PurePath | None
    headers: Pairs | None
    auth: tuple[str, str] | None
    bearer: str | None
    user_agent: str | None
    contact: str | None
    proxy: str | None
    trust_env: bool | None
    unix_socket: str | PurePath | None
    resolver: str | None
    ca_file: str | PurePath | None
    client_cert: str | PurePath | None
    insecure_hosts: Iterable[str] | None
    allow_nets: Iterable[str] | None
    limit_rate: int | None
    timeout: float | None
    connect_timeout: float | None
    first_byte_timeout: float | None
    idle_timeout: float | None
    max_body: int | None
    max_decoded: int | None
    session: object  # an aiohttp.ClientSession, or a function that makes one


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The options that only a `Fetcher` has.

    Attributes:
        cookies: a jar, or True for one of its own, keeps the cookies that servers set; a mapping is also sent to every
            URL that is given.
    """

    follow_redirects: Annotated[bool, Help("Follow redirects.", OptionKind.FLAG)] = True
    max_redirects: Annotated[int, Help("Limit for the redirects of one request.", OptionKind.COUNT_OR_NONE)] = 10
    unix_socket: Annotated[
        str | None, Help("Send every request to this unix socket.", OptionKind.TEXT, metavar="PATH")
    ] = None
    cookies: bool | Mapping[str, str] | CookieJar = False


class FetcherConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All options of a `Fetcher`."""

    engine: EngineConfig = EngineConfig()
    client: ClientConfig = ClientConfig()
    fetch: FetchConfig = FetchConfig()


_OPTIONS = by_keyword(options_of(FetcherConfig))
KEYWORDS = {option.name: keyword for keyword, option in _OPTIONS.items()}
"""The keyword for each option that a message names."""

_OF_CONNECTIONS = frozenset(
    {
        "ca_file",
        "client_cert",
        "cookies",
        "cookies_file",
        "insecure_hosts",
        "limit_rate",
        "proxy",
        "resolver",
        "trust_env",
        "unix_socket",
    }
)

_NUMBERS = {
    OptionKind.COUNT,
    OptionKind.COUNT_OR_NONE,
    OptionKind.SECONDS,
    OptionKind.TIME_LIMIT,
    OptionKind.BYTES,
    OptionKind.RATE,
}


def read_keyword(keyword: str, value: object) -> Any:
    """Return the field's value for the value of a keyword.

    Raises:
        UsageError: the option does not take the value; the message says what is expected.
    """
    return read_option(_OPTIONS[keyword], _written(_OPTIONS[keyword], value))


def fetcher_config(options: Options) -> FetcherConfig:
    """Return the config for these keywords.

    Raises:
        UsageError: an option is unknown, or has a value that it does not take.
    """
    check_names(options, Options.__annotations__, "Fetcher")
    given = {keyword: value for keyword, value in options.items() if value is not None}
    if given.pop("session", None) is not None:
        refuse_beside_session(given)
    cookies = given.pop("cookies", False)
    if not isinstance(cookies, bool | CookieJar):
        cookies = dict(pairs_of("cookies", cookies))
    by_name = {_OPTIONS[keyword].name: _written(_OPTIONS[keyword], value) for keyword, value in given.items()}
    config = turned(FetcherConfig(), by_name, {option.name: option for option in _OPTIONS.values()})
    if config.fetch.basic_auth and config.fetch.bearer:
        raise UsageError("auth and bearer: give one of them, not both")
    return replace(config, client=replace(config.client, cookies=cookies))


def refuse_beside_session(given: Mapping[str, object]) -> None:
    """Refuse keywords that a session of the user decides.

    Raises:
        UsageError: it names them.
    """
    taken = [name for name in sorted(_OF_CONNECTIONS & given.keys()) if given[name] not in (None, False)]
    if taken:
        raise UsageError(f"{' and '.join(taken)}: a session has its own: tell aiohttp, or leave out the session")


def _written(option: Option, value: object) -> object:
    if option.help.kind in _NUMBERS and isinstance(value, str):
        raise UsageError(f"--{option.name}: expected a number, got {value[:40]!r}")
    return written(option, value)
