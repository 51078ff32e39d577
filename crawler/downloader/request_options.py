"""The options of one request of a `Fetcher`, and the request built from them.

Rules
- None means "not given", for every option and for every value of `params` and `data`. A list there repeats its name.
- A body is one of `content`, `data` and `json`.
- User name and password of a URL become basic authentication for that URL.
Runs on: anywhere.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict
from urllib.parse import urlencode

import msgspec

from crawler.core import urls
from crawler.core.errors import UrlError, UsageError
from crawler.core.messages import Request
from crawler.core.options import check_names
from crawler.core.reasons import Reason
from crawler.downloader.client_options import FetcherConfig, Pairs, items_of, pairs_of, read_keyword
from crawler.http.authorization import authorization

_METHOD = re.compile(r"[A-Z]{1,32}")
_BODIES = ("content", "data", "json")

Value = str | int | float | bool | None
Form = Mapping[str, Value | Iterable[Value]] | Iterable[tuple[str, Value]]


class RequestOptions(TypedDict, total=False):
    """Options of one request; those left out, or None, are those of its `Fetcher`."""

    headers: Pairs | None
    params: Form | None
    content: bytes | str | None
    data: bytes | str | Form | None
    json: object
    auth: tuple[str, str] | None
    bearer: str | None
    cookies: Pairs | None
    timeout: float | None
    follow_redirects: bool | None
    max_redirects: int | None
    retries: int | None
    max_body: int | None
    extra: object


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a user, with all that was told of it.

    Attributes:
        cookies: sent besides those of the Fetcher, as long as the redirects stay on the origin.
        timeout: seconds for all of it, redirects and retries included; None = each try has its own limit only.
        extra: given back with the answer.
    """

    request: Request
    cookies: Mapping[str, str]
    timeout: float | None
    follow_redirects: bool
    max_redirects: int
    retries: int
    extra: object


def build_ask(method: str, text: str, options: RequestOptions, config: FetcherConfig) -> Ask:
    """Return the request for a URL that the user gave, which makes it named.

    Raises:
        UrlError: the text is not a URL that can be fetched.
        UsageError: an option is unknown, or has a value that it does not take.
    """
    if options:
        check_names(options, RequestOptions.__annotations__, "request")
    try:
        return _ask(method, text, options, config)
    except UnicodeEncodeError as error:
        raise UsageError(f"it cannot be sent as UTF-8: half of a surrogate pair in {error.object[:40]!a}") from None


def _ask(method: str, text: str, options: RequestOptions, config: FetcherConfig) -> Ask:
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    read = {name: read_keyword(name, given[name]) for name in _AS_FETCHER.intersection(given)}
    return Ask(
        request=_request(method, text, given, read),
        cookies=dict(pairs_of("cookies", given.get("cookies", ()))),
        timeout=read.get("timeout"),
        follow_redirects=read.get("follow_redirects", config.client.follow_redirects),
        max_redirects=read.get("max_redirects", config.client.max_redirects),
        retries=read.get("retries", config.engine.retries),
        extra=given.get("extra"),
    )


_AS_FETCHER = frozenset(
    {"headers", "auth", "bearer", "timeout", "follow_redirects", "max_redirects", "retries", "max_body"}
)


def _request(method: str, text: str, given: Mapping[str, Any], read: Mapping[str, Any]) -> Request:
    method = str(method).upper()
    if not _METHOD.fullmatch(method):
        raise UsageError(f"{method[:40]!r} is not an HTTP method: write one such as GET or POST")
    if not isinstance(text, str):  # a missing value in a table, say
        raise UrlError(Reason.NOT_A_URL, f"a URL must be a string, not {type(text).__name__}")
    url = text
    if query := urlencode(_fields("params", given.get("params", ()))):
        before = text.partition("#")[0]
        url = f"{before}{'&' if '?' in before else '?'}{query}"
    body, kind = _body(given)
    headers = list(read.get("headers", ()))
    names = {name.lower() for name, _ in headers}
    if kind and "content-type" not in names:
        headers.append(("Content-Type", kind))
    if (credentials := _credentials(text, read)) and "authorization" not in names:
        headers.append(("Authorization", credentials))
    return Request(
        url=urls.parse(url), named=True, method=method, headers=tuple(headers), body=body, most=read.get("max_body")
    )


def _credentials(text: str, read: Mapping[str, Any]) -> str | None:
    if "auth" in read and "bearer" in read:
        raise UsageError("auth and bearer: give one of them, not both")
    token = read.get("bearer")
    return authorization(read.get("auth") or (None if token else urls.credentials(text)), token)


def _body(given: Mapping[str, Any]) -> tuple[bytes | None, str | None]:
    """Return the body and its content type."""
    names = [name for name in _BODIES if name in given]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)}: a request has one body, give one of them")
    for name in names:
        value = given[name]
        if name == "json":
            return _json(value), "application/json"
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value), None
        if isinstance(value, str):
            return value.encode(), "text/plain; charset=utf-8"
        if name == "content":
            raise UsageError(f"content: expected bytes or text, got {type(value).__name__}")
        return urlencode(_fields("data", value)).encode(), "application/x-www-form-urlencoded"
    return None, None


def _json(value: object) -> bytes:
    try:
        return json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"json: {error}") from None


def _fields(keyword: str, value: object) -> list[tuple[str, str]]:
    """Return the names and texts of a form, each value of a list by itself.

    Raises:
        UsageError: it is no mapping, and no pairs; or a value is neither text nor a number.
    """
    found = []
    for pair in items_of(value):
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise UsageError(f"{keyword}: expected a mapping, such as {{'name': 'value'}}, or pairs")
        name, values = pair
        for one in values if isinstance(values, list | tuple) else [values]:
            if isinstance(one, bool):
                found.append((name, str(one).lower()))
            elif isinstance(one, str | int | float):
                found.append((name, str(one)))
            elif one is not None:
                raise UsageError(f"{keyword}: {name[:40]!r} must be text, a number or a list, not {type(one).__name__}")
    return found
