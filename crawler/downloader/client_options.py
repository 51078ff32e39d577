"""The options of a `Fetcher` and of one of its requests, and the request built from them.

Rules
- An option is a field of `ClientConfig` or of `core.config.FetchConfig`; `Options` gives both their keywords and types.
- User name and password of a URL become basic authentication for that URL.
Runs on: anywhere (pure).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import urlencode

from crawler.core import urls
from crawler.core.config import OPTIONS, FetchConfig
from crawler.core.errors import UrlError, UsageError
from crawler.core.messages import Request
from crawler.core.options import check_names
from crawler.core.reasons import Reason
from crawler.http.authorization import basic

_METHOD = re.compile(r"[A-Z]{1,32}")

Headers = Mapping[str, str]
Body = bytes | str | Mapping[str, str]


class Options(TypedDict, total=False):
    """Options of a `Fetcher`; those left out have the defaults of `ClientConfig` and `core.config.FetchConfig`."""

    concurrency: int
    follow_redirects: bool
    max_redirects: int
    retries: int
    cookies: bool | Headers
    cookies_file: str
    headers: Headers
    auth: tuple[str, str]
    bearer: str
    user_agent: str
    proxy: str
    resolver: str
    ca_file: str
    client_cert: str
    insecure_hosts: tuple[str, ...]
    allow_nets: tuple[str, ...]
    limit_rate: int
    timeout: float
    connect_timeout: float
    first_byte_timeout: float
    idle_timeout: float
    max_body: int
    max_decoded: int


class RequestOptions(TypedDict, total=False):
    """Options of one request: `data` is bytes, text or a form; `timeout` covers its redirects and retries too."""

    headers: Headers
    params: Headers
    data: Body
    json: object
    auth: tuple[str, str]
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """The options of a `Fetcher` that go beyond one fetch.

    Attributes:
        concurrency: fetches in flight of one `stream` to hosts that answer, at the most.
        retries: further tries after a transient error or status.
        cookies: True keeps the cookies that servers set, by origin; a mapping is also sent to every given URL.
    """

    concurrency: int = 256
    follow_redirects: bool = True
    max_redirects: int = 10
    retries: int = 3
    cookies: bool | Headers = False


KEYWORDS = {
    name: "auth" if option.field == "basic_auth" else option.field
    for name, option in OPTIONS.items()
    if option.field in {*Options.__annotations__, "basic_auth"}
}
"""The keyword of a `Fetcher` for each option that messages name."""


def configs_of(options: Options) -> tuple[ClientConfig, FetchConfig]:
    """Return the two configs for these keywords.

    Raises:
        UsageError: an option is unknown.
    """
    check_names(options, Options.__annotations__, "Fetcher")
    values: dict[str, Any] = dict(options)
    client = ClientConfig(**{name: values.pop(name) for name in ClientConfig.__slots__ if name in values})
    if "headers" in values:
        values["headers"] = tuple(values["headers"].items())
    if "auth" in values:
        values["basic_auth"] = values.pop("auth")
    return client, FetchConfig(**values)


def build_request(method: str, text: str, options: RequestOptions) -> Request:
    """Return the request for a URL that the user gave, which makes it named.

    Raises:
        UrlError: the text is not a URL that can be fetched.
        UsageError: the method is not an HTTP method.
    """
    method = method.upper()
    if not _METHOD.fullmatch(method):
        raise UsageError(f"{method[:40]!r} is not an HTTP method: write one such as GET or POST")
    if not isinstance(text, str):  # a missing value in a table, say
        raise UrlError(Reason.NOT_A_URL, f"a URL must be a string, not {type(text).__name__}")
    url = text
    if params := options.get("params"):
        before = text.partition("#")[0]
        url = f"{before}{'&' if '?' in before else '?'}{urlencode(params)}"
    body: bytes | None
    kind = None
    data = options.get("data")
    if "json" in options:
        body, kind = json.dumps(options["json"]).encode(), "application/json"
    elif isinstance(data, Mapping):
        body, kind = urlencode(data).encode(), "application/x-www-form-urlencoded"
    elif isinstance(data, str):
        body, kind = data.encode(), "text/plain; charset=utf-8"
    else:
        body = data
    headers = list(options.get("headers", {}).items())
    names = {name.lower() for name, _ in headers}
    if kind and "content-type" not in names:
        headers.append(("Content-Type", kind))
    user = options.get("auth") or urls.credentials(text)
    if user and "authorization" not in names:
        headers.append(("Authorization", basic(*user)))
    return Request(url=urls.parse(url), named=True, method=method, headers=tuple(headers), body=body)
