"""The script of users: a Python file with `async def user(u)`, which each virtual user runs again and again.

Rules
- `u` sends over the connections of the load test, so its requests are timed, counted and limited like all others.
- A user has one request under way at most. It sends only to hosts that were judged before the test.
- Requests of one `name`, or of one path without its variable parts, are one group of the report.
- Checks are counted apart from requests. An error of the script counts as a check, `script_error`, that failed; the
  user begins again a moment later.
Runs on: the loop that loads.
"""

import ast
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypedDict, Unpack
from urllib.parse import urlencode

import msgspec

from crawler.core.errors import UsageError
from crawler.core.options import check_names
from crawler.core.text import safe
from crawler.core.urls import Url, parse
from crawler.load.config import RequestConfig
from crawler.load.exchange import Request
from crawler.load.message import message
from crawler.load.nanoseconds import nanoseconds
from crawler.load.targets.groups import group_name
from crawler.load.users.answer import LoadAnswer
from crawler.load.users.user import User

Script = Callable[["LoadUser"], Awaitable[object]]
"""The function `user` of a script."""

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]


class RequestParts(TypedDict, total=False):
    """Parts of a request besides method and path.

    `content`, `json` and `form` are the body, one of them at most. `name` is the group in the report, by default the
    method and the path without its variable parts.
    """

    params: Pairs
    headers: Pairs
    content: bytes | str
    json: object
    form: Pairs
    name: str


class Stage(Protocol):
    """The loop in which a user's script runs."""

    def group_of(self, name: str) -> int:
        """Return the number of a group of the report, which may be a new one."""
        ...

    async def ask(self, place: int, request: Request) -> LoadAnswer:
        """Send a request of a user, and return the answer.

        Raises:
            FetchError: no whole answer came.
        """
        ...

    async def wait(self, place: int, nanoseconds: int) -> None:
        """Let a user wait."""
        ...

    def checked(self, what: str, trouble: str | None) -> None:
        """Count a check; `trouble` is an example of its failure, None = it held."""
        ...


class LoadUser:
    """One virtual user, as its script sees it.

    Attributes:
        number: of the user, from 0.
        checks_made: so far.
        chance: random numbers that are the same in each test with the same seed.
        state: the script's own, empty at first, kept for as long as the user lives.
    """

    def __init__(self, stage: Stage, place: int, user: User, asked: RequestConfig, origins: tuple[Url, ...]) -> None:
        self.number = user.number
        self.chance: Random = user.chance
        self.state: dict[str, Any] = {}
        self.checks_made = 0
        self._stage = stage
        self._place = place
        self._user = user
        self._asked = asked
        self._origins = origins

    def __repr__(self) -> str:
        return f"<LoadUser {self.number}>"

    async def request(self, method: str, path: str, **parts: Unpack[RequestParts]) -> LoadAnswer:
        """Send a request and return its answer, whatever its status.

        `path` is below the URL of the test, or a whole URL of its host.

        Raises:
            FetchError: no whole answer came; it is counted already.
            UsageError: the request is impossible.
        """
        check_names(parts, RequestParts.__annotations__, "request")
        url, headers = self._url(path, parts.get("params", ())), parts.get("headers", ())
        fields = list(headers.items() if isinstance(headers, Mapping) else headers)
        body, kind = _body(parts)
        if kind is not None and all(key.lower() != "content-type" for key, _ in fields):
            fields.append(("Content-Type", kind))
        request = Request(
            message(self._asked, url, method=method, headers=fields, body=body),
            group=self._stage.group_of(parts.get("name") or group_name(method, url.target)),
            host=[origin.origin for origin in self._origins].index(url.origin),
            bodiless=method == "HEAD",
        )
        return await self._stage.ask(self._place, request)

    def _url(self, path: str, params: Pairs) -> Url:
        url = parse(path, self._origins[0], any_port=True)
        if all(url.origin != origin.origin for origin in self._origins):
            raise UsageError(f"{safe(path, 80)} is not on the host of this test: give a path, or test that host")
        query = urlencode(list(params.items() if isinstance(params, Mapping) else params))
        if not query:
            return url
        return parse(f"{url.href}{'&' if '?' in url.target else '?'}{query}", any_port=True)

    async def get(self, path: str, **parts: Unpack[RequestParts]) -> LoadAnswer:
        """Send a GET; see `request`."""
        return await self.request("GET", path, **parts)

    async def head(self, path: str, **parts: Unpack[RequestParts]) -> LoadAnswer:
        """Send a HEAD; see `request`."""
        return await self.request("HEAD", path, **parts)

    async def post(self, path: str, **parts: Unpack[RequestParts]) -> LoadAnswer:
        """Send a POST; see `request`."""
        return await self.request("POST", path, **parts)

    async def put(self, path: str, **parts: Unpack[RequestParts]) -> LoadAnswer:
        """Send a PUT; see `request`."""
        return await self.request("PUT", path, **parts)

    async def patch(self, path: str, **parts: Unpack[RequestParts]) -> LoadAnswer:
        """Send a PATCH; see `request`."""
        return await self.request("PATCH", path, **parts)

    async def delete(self, path: str, **parts: Unpack[RequestParts]) -> LoadAnswer:
        """Send a DELETE; see `request`."""
        return await self.request("DELETE", path, **parts)

    async def think(self, least: float, most: float | None = None) -> None:
        """Wait for a time in seconds, or for a random one between two."""
        high = least if most is None else most
        await self._stage.wait(self._place, self._user.thinks(nanoseconds(least), nanoseconds(high)))

    def check(self, is_right: object, what: str) -> None:
        """Count a check named `what`, which fails unless this is true; the script goes on."""
        self.checks_made += 1
        self._stage.checked(safe(what, 60), None if is_right else f"user {self.number}: {safe(what, 100)}")


def _body(parts: RequestParts) -> tuple[bytes | None, str | None]:
    """Return the body and its type."""
    content, json, form = parts.get("content"), parts.get("json"), parts.get("form")
    if sum(given is not None for given in (content, json, form)) > 1:
        raise UsageError("content, json, form: a request has one body, give one of them")
    if json is not None:
        return msgspec.json.encode(json), "application/json"
    if form is not None:
        pairs = list(form.items() if isinstance(form, Mapping) else form)
        return urlencode(pairs).encode(), "application/x-www-form-urlencoded"
    return (content.encode(), "text/plain; charset=utf-8") if isinstance(content, str) else (content, None)


def check_script(path: str) -> None:
    """Refuse a file that holds no `async def user(u)`, without running it.

    Raises:
        UsageError: it does not, or it is no Python.
    """
    try:
        tree = ast.parse(Path(path).read_bytes(), path)
    except OSError as error:
        raise UsageError(f"--script {path}: {error.strerror}") from None
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise UsageError(f"--script {path}{f':{line}' if line else ''}: {error.args[0]}") from None
    if not any(isinstance(node, ast.AsyncFunctionDef) and node.name == "user" for node in tree.body):
        raise UsageError(f"--script {path}: it has no `async def user(u)`: write what one user does there")


def load_script(path: str) -> Script:
    """Run the file and return its function `user`.

    Raises:
        UsageError: the file cannot be run, or its `user` is no coroutine function.
    """
    spec = spec_from_file_location("crawler_load_script", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--script {path}: its name has to end in .py")
    module = module_from_spec(spec)
    sys.path.insert(0, str(Path(path).resolve().parent))  # as `python FILE` does
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UsageError(f"--script {path}: {type(error).__name__}: {safe(str(error), 200)}") from error
    finally:
        sys.path.pop(0)
    found = getattr(module, "user", None)
    if not inspect.iscoroutinefunction(found):
        raise UsageError(f"--script {path}: `user` is no `async def`")
    script: Script = found
    return script
