"""The options of one request of a `Fetcher`, and the request built from them.

Rules
- None means "not given", for every option and for every value of `params` and `data`. A list there repeats its name.
- A body is one of `content`, `data` and `json`, or `files` with the fields of a form in `data`.
- User name and password of a URL become basic authentication for that URL.
Runs on: anywhere.
"""

import json
import re
from collections.abc import ItemsView, Iterable, Mapping
from typing import Any, TypedDict, Unpack
from urllib.parse import urlencode

import msgspec

from crawler.core import urls
from crawler.core.errors import FetchError, UrlError, UsageError
from crawler.core.keywords import Pairs, items_of
from crawler.core.messages import BodySource, Request, RequestTimeouts
from crawler.core.options import check_names
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.auth import Auth
from crawler.downloader.client_options import (
    Credentials,
    FetcherConfig,
    check_headers,
    computed_auth,
    cookies_of,
    read_keyword,
)
from crawler.downloader.fetched import masked
from crawler.downloader.multipart import Files, multipart_body
from crawler.downloader.request_body import BytesBody, Content, request_body
from crawler.http.authorization import authorization
from crawler.http.retry import RetryPolicy

_METHOD = re.compile(r"[A-Z]{1,32}")
_JSON = json.JSONEncoder(allow_nan=False)
_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:")
_USUAL = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_BODIES = ("content", "data", "json")

Value = str | int | float | bool | None
Form = Mapping[str, Value | Iterable[Value]] | Iterable[tuple[str, Value]]


class RequestOptions(TypedDict, total=False):
    """Options of one request; those left out, or None, are those of its `Fetcher`."""

    headers: Pairs | None
    params: Form | None
    content: Content | None
    data: Content | Form | None
    json: object
    files: Files | None
    auth: Credentials | None
    bearer: str | None
    cookies: Pairs | None
    timeout: float | None
    connect_timeout: float | None
    first_byte_timeout: float | None
    idle_timeout: float | None
    follow_redirects: bool | None
    max_redirects: int | None
    retries: int | RetryPolicy | None
    max_body: int | None
    extra: object


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a user, with all that was told of it.

    Attributes:
        requested: the URL as it was given.
        cookies: sent besides those of the Fetcher, as long as the redirects stay on the origin.
        auth: computes the credentials; None = they are among the headers, or the Fetcher's.
        timeout: seconds for all of it, redirects and retries included; None = each try has its own limit only.
        extra: given back with the answer.
    """

    requested: str
    request: Request
    cookies: Mapping[str, str]
    auth: Auth | None
    timeout: float | None
    follow_redirects: bool
    max_redirects: int
    retry: RetryPolicy
    extra: object

    def late(self) -> FetchError:
        """Return the error of a request that took longer than its timeout."""
        return FetchError(Reason.TOTAL_TIMEOUT, f"{masked(self.requested)} took longer than {self.timeout:g} s")


class ClientRequest:
    """A request for `Fetcher.send` and `Fetcher.stream`: `ClientRequest("POST", url, json={...})`.

    Attributes:
        method, url: as they were given.
        options: those of `Fetcher.request`, as they were given.
    """

    __slots__ = ("method", "options", "url")

    def __init__(self, method: str, url: str, **options: Unpack[RequestOptions]) -> None:
        """Take the options; their values are checked when the request is sent.

        Raises:
            UsageError: an option is unknown.
        """
        check_names(options, RequestOptions.__annotations__, "ClientRequest")
        self.method = method
        self.url = url
        self.options = options

    def __repr__(self) -> str:
        return f"<ClientRequest {self.method} {masked(str(self.url))}>"


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
    except UrlError as error:
        more = ", or give the Fetcher a base_url" if error.reason is Reason.RELATIVE_URL else ""
        raise UrlError(error.reason, f"{masked(str(text))[:100]!r}: {error}{more}") from None
    except UnicodeEncodeError as error:
        raise UsageError(f"it cannot be sent as UTF-8: half of a surrogate pair in {error.object[:40]!a}") from None


def _ask(method: str, text: str, options: RequestOptions, config: FetcherConfig) -> Ask:
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    auth = _computed(given, config)
    retry = given.pop("retries") if isinstance(given.get("retries"), RetryPolicy) else None
    read = {name: read_keyword(name, given[name]) for name in _AS_FETCHER.intersection(given)}
    has_own = "auth" in read or "bearer" in read or auth is not None
    usual = None if has_own else config.client.credentials
    return Ask(
        requested=text,
        request=_request(method, text, given, read, config.client.base_url, usual),
        cookies=cookies_of(given["cookies"]) if "cookies" in given else {},
        auth=auth,
        timeout=read.get("timeout"),
        follow_redirects=read.get("follow_redirects", config.client.follow_redirects),
        max_redirects=read.get("max_redirects", config.client.max_redirects),
        retry=retry or (RetryPolicy(tries=read["retries"]) if "retries" in read else config.client.retry),
        extra=given.get("extra"),
    )


def _computed(given: dict[str, Any], config: FetcherConfig) -> Auth | None:
    """Take out credentials that are computed; without others, those of the Fetcher count."""
    if "auth" not in given:
        return None if "bearer" in given else config.client.auth
    auth = computed_auth(given["auth"])
    if auth is not None:
        if "bearer" in given:
            raise UsageError("auth and bearer: give one of them, not both")
        del given["auth"]
    return auth


_AS_FETCHER = frozenset(
    {
        *("headers", "auth", "bearer", "follow_redirects", "max_redirects", "retries", "max_body"),
        *("timeout", "connect_timeout", "first_byte_timeout", "idle_timeout"),
    }
)


def _request(
    method: str, text: str, given: Mapping[str, Any], read: Mapping[str, Any], base: Url | None, usual: str | None
) -> Request:
    method = str(method).upper()
    if method not in _USUAL and not _METHOD.fullmatch(method):
        raise UsageError(f"{method[:40]!r} is not an HTTP method: write one such as GET or POST")
    if not isinstance(text, str):  # a missing value in a table, say
        raise UrlError(Reason.NOT_A_URL, f"a URL must be a string, not {type(text).__name__}")
    url = text
    if "params" in given and (query := urlencode(_fields("params", given["params"]))):
        before = text.partition("#")[0]
        url = f"{before}{'&' if '?' in before else '?'}{query}"
    body, source, kind = _body(given) if given else (None, None, None)
    headers = list(read.get("headers", ()))
    if headers:
        check_headers(headers)
    names = {name.lower() for name, _ in headers}
    if kind and "content-type" not in names:
        headers.append(("Content-Type", kind))
    if (credentials := _credentials(text, read, usual)) and "authorization" not in names:
        headers.append(("Authorization", credentials))
    return Request(
        url=_url(url, base),
        named=True,
        method=method,
        headers=tuple(headers),
        body=body,
        source=source,
        most=read.get("max_body"),
        timeouts=_timeouts(read),
    )


def _timeouts(read: Mapping[str, Any]) -> RequestTimeouts | None:
    """Return the timeouts of a request; one for the whole of it is one for each try, too."""
    if not read or not read.keys() & {"timeout", "connect_timeout", "first_byte_timeout", "idle_timeout"}:
        return None
    return RequestTimeouts(
        total=read.get("timeout"),
        connect=read.get("connect_timeout"),
        first_byte=read.get("first_byte_timeout"),
        idle=read.get("idle_timeout"),
    )


def _url(text: str, base: Url | None) -> Url:
    """Return the URL of a text, which leads away from `base` only with a scheme of its own."""
    url = urls.parse(text, base)
    if base is not None and url.origin != base.origin and not _SCHEME.match(text):
        raise UsageError(f"{text[:100]!r} leads away from base_url, to {url.origin}: write the scheme, too")
    return url


def _credentials(text: str, read: Mapping[str, Any], usual: str | None) -> str | None:
    """Return the Authorization header: of the request, else of its URL, else the usual one."""
    if "auth" in read and "bearer" in read:
        raise UsageError("auth and bearer: give one of them, not both")
    token = read.get("bearer")
    told = urls.credentials(text) if "@" in text and not token else None
    return authorization(read.get("auth") or told, token) or usual


def _body(given: Mapping[str, Any]) -> tuple[bytes | None, BodySource | None, str | None]:
    """Return the body, at hand or in pieces, and its content type."""
    names = [name for name in _BODIES if name in given]
    if "files" in given:
        form = given.get("data", {})
        if not {*names} <= {"data"} or not _is_form(form):
            raise UsageError("files: only a form may go with files, as a mapping or pairs in data")
        with_files = multipart_body(_fields("data", form), given["files"])
        return None, with_files, with_files.content_type
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)}: a request has one body, give one of them")
    for name in names:
        value = given[name]
        if name == "json":
            return _json(value), None, "application/json"
        if name == "data" and _is_form(value):
            return urlencode(_fields("data", value)).encode(), None, "application/x-www-form-urlencoded"
        source = request_body(name, value)
        kind = "text/plain; charset=utf-8" if isinstance(value, str) else None
        return (source.content, None, kind) if isinstance(source, BytesBody) else (None, source, kind)
    return None, None, None


def _is_form(value: object) -> bool:
    """Return whether it is a mapping or its items, or a list or tuple of pairs."""
    if isinstance(value, list | tuple | ItemsView):
        return not any(isinstance(item, bytes | bytearray | memoryview) for item in value)
    return isinstance(value, Mapping)


def _json(value: object) -> bytes:
    try:
        return _JSON.encode(value).encode()
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
