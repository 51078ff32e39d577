"""Reading of an access log of JSON lines, by the names that servers and their manuals give to the fields.

Names (letter case does not matter)
- nginx: its variables, `request`, `request_uri`, `request_method`, `time_iso8601`, `msec`, `uri` with `args`, `host`.
- Caddy: `ts`, and `request` with `method`, `uri`, `host`. Traefik: `RequestMethod`, `RequestPath`, `StartUTC`.
- Envoy and Istio: `start_time`, `method`, `path`, `authority`. Google: `httpRequest` with `requestUrl`.
- Elastic Common Schema: `@timestamp`, `http.request.method`, `url.original`, dotted or nested. pino: `req`, `time`.
Rules
- A field of the line itself goes before one of an object within it.
- The time at which a request began goes before the time of the log line, where the line has both; the first one that
  can be read counts.
- Bytes that are no UTF-8 are percent-encoded, as in other logs.
- A host makes the URL absolute, over https where the line says so. It counts only without a URL on the command line.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from crawler.core.text import from_octets, safe
from crawler.load.targets.access_log import request_line
from crawler.load.targets.line import TargetLine, checked_method, from_json
from crawler.load.targets.moments import moment_of

_METHOD = ("request_method", "requestmethod", "http.request.method", "http_method", "httpmethod", "method", "verb")
_URL = (
    *("request_uri", "requesturi", "requesturl", "request_url", "url.original", "originalurl", "original_url"),
    *("requestpath", "request_path", "uri", "url", "path", "original", "url.path", "target"),
)
_QUERY = ("args", "query_string", "querystring", "query", "url.query")
_TIMES = (
    *("start_time", "startutc", "startlocal", "starttime", "requesttimeepoch", "requesttime", "msec", "time_iso8601"),
    *("@timestamp", "timestamp", "ts", "time_local", "time", "datetime", "date"),
)
_HOST = ("authority", ":authority", "requesthost", "request_host", "http_host", "vhost", "host", "url.domain", "domain")
_SCHEME = ("scheme", "requestscheme", "request_scheme", "url.scheme")
_REQUEST = ("request", "req", "request_line", "requestline")
_WITHIN = frozenset({"request", "req", "httprequest", "http", "url", "@fields", "@nginx_fields", "fields", "message"})
_DEEPEST = 8  # objects within objects; logs have two or three
_HOST_TEXT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]*[A-Za-z0-9])(?::\d{1,5})?")
_DECODER = msgspec.json.Decoder(dict[str, object])


def parse_json_log(raw: bytes, number: int) -> TargetLine | None:
    """Return the target of a line, or None for a blank line.

    Raises:
        ValueError: the line cannot be read, or has no request.
    """
    if not raw.strip():
        return None
    try:
        line = from_json(_DECODER, raw)
    except ValueError:
        line = from_json(_DECODER, from_octets(raw))  # nginx logs the bytes of a URL as they came
    fields: Mapping[str, object] = line
    if any(isinstance(value, dict) and name.lower() in _WITHIN for name, value in line.items()):
        fields = _flat(line)
    names = _names(tuple(fields))
    method, url = _request(fields, names)
    moment = next((found for name in names.times if (found := moment_of(fields[name])) is not None), None)
    return TargetLine(method=method, url=url, moment=moment, number=number)


class _Names(msgspec.Struct, frozen=True):
    """The names of the fields of a line; None = it has none of a kind."""

    times: tuple[str, ...]
    method: str | None
    url: str | None
    query: str | None
    host: str | None
    scheme: str | None
    request: str | None


@lru_cache(maxsize=1000)
def _names(fields: tuple[str, ...]) -> _Names:
    by_lower = {name.lower(): name for name in reversed(fields)}
    kinds = (_METHOD, _URL, _QUERY, _HOST, _SCHEME, _REQUEST)
    first = (next((by_lower[name] for name in kind if name in by_lower), None) for kind in kinds)
    return _Names(tuple(by_lower[name] for name in _TIMES if name in by_lower), *first)


def _flat(line: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a line, and those of the objects within it that hold a request."""
    flat = {name: value for name, value in line.items() if not isinstance(value, dict)}
    for path, value in _within(line, ""):
        flat.setdefault(path, value)
        flat.setdefault(path.rpartition(".")[2], value)
    return flat


def _within(fields: Mapping[str, object], before: str) -> Iterator[tuple[str, object]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            if name.lower() in _WITHIN and before.count(".") < _DEEPEST:
                yield from _within(value, f"{before}{name}.")
            elif name.lower() == "tls" and before:  # Caddy's, of a request that came over https
                yield "scheme", "https"
        elif before:
            yield f"{before}{name}", value


def _request(fields: Mapping[str, object], names: _Names) -> tuple[str, str]:
    """Return method and URL, or path."""
    url = None if names.url is None else fields[names.url]
    whole = None if names.request is None else fields[names.request]
    if isinstance(whole, str) and (" " in whole or names.url is None):
        method, url = request_line(whole)
    elif names.method is None or not isinstance(fields[names.method], str) or not isinstance(url, str):
        shown = ", ".join(safe(name, 30) for name in list(fields)[:12])
        raise ValueError(f"no method and path among its fields: {shown}")
    else:
        method = checked_method(str(fields[names.method]))
        query = "" if names.query is None else str(fields[names.query])
        if query not in {"", "-", "None"} and "?" not in url:
            url = f"{url}?{query.removeprefix('?')}"
    if not url.startswith(("/", "http://", "https://")):
        raise ValueError(f'its request is no HTTP that can be sent: "{safe(method, 20)} {safe(url, 60)}"')
    host = None if names.host is None else fields[names.host]
    if url.startswith("/") and isinstance(host, str) and _HOST_TEXT.fullmatch(host):
        scheme = "https" if names.scheme is not None and fields[names.scheme] == "https" else "http"
        return method, f"{scheme}://{host}{url}"
    return method, url
