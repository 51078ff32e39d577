"""The options of a `Fetcher`: their keywords, types and checks.

Rules
- An option is a field of one of the configs in `FetcherConfig`, and is read as a flag or a line of TOML is, except that
  a number must be a number: text in its place is a mistake of the program.
- None means "not given", for every option.
Runs on: anywhere.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Annotated, Any, TypedDict

import msgspec
from msgspec.structs import replace

from crawler.core.config import EngineConfig, FetchConfig
from crawler.core.errors import UrlError, UsageError
from crawler.core.keywords import Pairs, by_keyword, pairs_of, written
from crawler.core.options import Help, Option, OptionKind, check_names, options_of, read_option, turned
from crawler.core.urls import Url, credentials, parse
from crawler.downloader.auth import Auth, ComputedAuth, DigestAuth
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.fetched import SentRequest
from crawler.downloader.headers import FRAMING
from crawler.downloader.hooks import Hook, Hooks
from crawler.downloader.responder import Responder
from crawler.downloader.transport import Transport
from crawler.http.authorization import authorization
from crawler.http.retry import RetryPolicy

Credentials = tuple[str, str] | DigestAuth | Callable[[SentRequest], Awaitable[str | None] | str | None]


class Options(TypedDict, total=False):
    """Options of a `Fetcher`; those left out, or None, have the defaults of `FetcherConfig`."""

    base_url: str | None
    concurrency: int | None
    follow_redirects: bool | None
    max_redirects: int | None
    retries: int | RetryPolicy | None
    cookies: bool | Mapping[str, str] | CookieJar | None
    cookies_file: str | PurePath | None
    headers: Pairs | None
    auth: Credentials | None
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
    on_request: Hook | None
    on_response: Hook | None
    on_retry: Hook | None
    session: object  # an aiohttp.ClientSession, or a function that makes one
    transport: Transport | Responder | None


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The options that only a `Fetcher` has.

    Attributes:
        cookies: a jar, or True for one of its own, keeps the cookies that servers set; a mapping is also sent to every
            URL that is given.
        base_url: URLs without a scheme are relative to it; None = they are errors.
        auth: computes the credentials of the URLs that are given; None = they are fixed.
        credentials: the value of the Authorization header for these URLs; None = there is none. It is here and not in
            `FetchConfig`, so that a request may have others, or none.
        retry: decides about further tries.
    """

    follow_redirects: Annotated[bool, Help("Follow redirects.", OptionKind.FLAG)] = True
    max_redirects: Annotated[int, Help("Limit for the redirects of one request.", OptionKind.COUNT_OR_NONE)] = 10
    unix_socket: Annotated[
        str | None, Help("Send every request to this unix socket.", OptionKind.TEXT, metavar="PATH")
    ] = None
    cookies: bool | Mapping[str, str] | CookieJar = False
    base_url: Url | None = None
    auth: Auth | None = None
    credentials: str | None = None
    retry: RetryPolicy = RetryPolicy()
    hooks: Hooks = Hooks()


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

_COOKIE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f;]*")  # what a jar takes of a server (RFC 6265, 5.2)
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
    given: dict[str, Any] = {keyword: value for keyword, value in options.items() if value is not None}
    _check_connections(given)
    client = _client(given)
    by_name = {_OPTIONS[keyword].name: _written(_OPTIONS[keyword], value) for keyword, value in given.items()}
    config = turned(FetcherConfig(), by_name, {option.name: option for option in _OPTIONS.values()})
    if config.fetch.basic_auth and config.fetch.bearer:
        raise UsageError("auth and bearer: give one of them, not both")
    check_headers(config.fetch.headers)
    return replace(
        config,
        fetch=replace(config.fetch, basic_auth=None, bearer=None),
        client=replace(
            config.client,
            retry=client.pop("retry", None) or RetryPolicy(tries=config.engine.retries),
            credentials=authorization(config.fetch.basic_auth, config.fetch.bearer),
            **client,
        ),
    )


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Refuse headers that frame the message, which the client does, and a second Host (RFC 9112, 3.2).

    Raises:
        UsageError: it names the header.
    """
    names = [name.lower() for name, _ in headers]
    if framing := FRAMING.intersection(names):
        raise UsageError(f"headers: {', '.join(sorted(framing))}: set by the client itself, leave it out")
    if names.count("host") > 1:
        raise UsageError("headers: a request has one Host, give one")


def cookies_of(value: object) -> dict[str, str]:
    """Return cookies by their names.

    Raises:
        UsageError: they are no mapping and no pairs, or one of them cannot be sent.
    """
    cookies = dict(pairs_of("cookies", value))
    for name, text in cookies.items():
        if not _COOKIE.fullmatch(name) or "=" in name or not _COOKIE.fullmatch(text):
            raise UsageError(f"cookies: {name[:40]!r} holds a semicolon, a control character or an equals sign")
    return cookies


def _check_connections(given: dict[str, Any]) -> None:
    """Take out `session` and `transport`, which make connections of their own, and refuse options about ours."""
    made = [name for name in ("session", "transport") if given.pop(name, None) is not None]
    if len(made) > 1:
        raise UsageError("session and transport: give one of them, not both")
    if made == ["session"]:
        refuse_beside_session(given)


def _client(given: dict[str, Any]) -> dict[str, Any]:
    """Take out the options whose values no flag could have; return the fields of `ClientConfig` that they fill."""
    found: dict[str, Any] = {}
    cookies = given.pop("cookies", False)
    found["cookies"] = cookies if isinstance(cookies, bool | CookieJar) else cookies_of(cookies)
    hooks = {name: given.pop(name) for name in ("on_request", "on_response", "on_retry") if name in given}
    for name, hook in hooks.items():
        if not callable(hook):
            raise UsageError(f"{name}: expected a function, got {type(hook).__name__}")
    found["hooks"] = Hooks(**hooks)
    if "base_url" in given:
        found["base_url"] = _base_url(given.pop("base_url"))
    if isinstance(given.get("retries"), RetryPolicy):
        found["retry"] = given.pop("retries")
    if "auth" in given and (auth := computed_auth(given["auth"])) is not None:
        if "bearer" in given:
            raise UsageError("auth and bearer: give one of them, not both")
        del given["auth"]
        found["auth"] = auth
    return found


def _base_url(value: object) -> Url:
    try:
        url = parse(value) if isinstance(value, str) else None
    except UrlError as error:
        raise UsageError(f"base_url: {error}") from None
    if url is None or not url.href.endswith("/"):
        raise UsageError("base_url: expected a URL that ends with a slash, such as https://example.org/api/")
    if credentials(str(value)):
        raise UsageError("base_url: a password does not belong in it, give auth=(name, password)")
    return url


def computed_auth(value: object) -> Auth | None:
    """Return the way to computed credentials; None = the value is a name and password.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(value, DigestAuth):
        return value
    if not callable(value) and not isinstance(value, tuple | list):
        raise UsageError("auth: expected (name, password), a DigestAuth, or a function of the request")
    return ComputedAuth(value) if callable(value) else None


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
