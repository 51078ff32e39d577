"""Credentials that are computed for each request: a function of the user's, or Digest authentication.

Rules
- The value of the Authorization header is computed for each try, so that a token can be renewed in between.
- It goes only with requests that may carry the user's credentials (`Request.is_trusted`), and replaces no Authorization
  header that the request was given.
Runs on: the event loop.
"""

import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from secrets import token_hex
from typing import Protocol

from crawler.core.errors import UsageError
from crawler.core.messages import Request, Response
from crawler.downloader.fetched import SentRequest, sent
from crawler.http.digest import DigestLogin

_ORIGINS = 256  # whose challenges are remembered


class Auth(Protocol):
    """The way to the credentials of a request."""

    async def authorization(self, request: Request) -> str | None:
        """Return the value of the Authorization header; None = the request goes without."""
        ...

    def is_challenged(self, request: Request, response: Response) -> bool:
        """Return whether `authorization` has another value after this answer, a 401."""
        ...


class ComputedAuth:
    """Implements `Auth` by a function of the request, which may be a coroutine function."""

    def __init__(self, compute: Callable[[SentRequest], Awaitable[str | None] | str | None]) -> None:
        self._compute = compute

    async def authorization(self, request: Request) -> str | None:
        """Return the function's result.

        Raises:
            UsageError: it is no text.
        """
        value = self._compute(sent(request))
        if inspect.isawaitable(value):
            value = await value
        if value is not None and not isinstance(value, str):
            raise UsageError(f"auth: the function must return text or None, not {type(value).__name__}")
        return value

    def is_challenged(self, request: Request, response: Response) -> bool:
        """Return False: only the user knows whether another value would do."""
        return False


class DigestAuth:
    """Implements `Auth` by Digest authentication (RFC 7616): `auth=crawler.DigestAuth("name", "password")`.

    The password is not sent. The first request to an origin is challenged, and sent again with the answer; later ones
    have it at once. One value may serve several Fetchers of one event loop.
    """

    def __init__(self, name: str, password: str) -> None:
        """Take the credentials.

        Raises:
            UsageError: one of them is no text, or the name has control characters.
        """
        if not all(isinstance(text, str) for text in (name, password)):
            raise UsageError("DigestAuth: expected a name and a password, as texts")
        self._new_login = partial(DigestLogin, name, password)
        self._new_login()  # which checks the name
        self._logins: OrderedDict[str, DigestLogin] = OrderedDict()  # by origin

    def __repr__(self) -> str:
        return f"<DigestAuth for {len(self._logins)} origins>"

    async def authorization(self, request: Request) -> str | None:
        """Return the answer to the latest challenge of the origin; None = there was none yet.

        Raises:
            UsageError: the server wants the digest of a body that comes in pieces.
        """
        login = self._logins.get(request.url.origin)
        if login is None:
            return None
        if login.needs_body and request.source is not None:
            raise UsageError("auth: the server wants a digest of the body (auth-int): give the body as bytes")
        return login.authorization(request.method, request.url.target, request.body or b"")

    def is_challenged(self, request: Request, response: Response) -> bool:
        """Return whether the server asks for Digest, and has not refused an answer to the same nonce."""
        login = self._logins.setdefault(request.url.origin, self._new_login())
        if len(self._logins) > _ORIGINS:
            self._logins.popitem(last=False)
        challenge = login.learn(response.header_values("www-authenticate"), token_hex(16))
        answered = next((value for name, value in request.headers if name.lower() == "authorization"), "")
        # A server may count its nonces without calling an old one stale.
        return challenge is not None and (challenge.is_stale or f' nonce="{challenge.nonce}"' not in answered)
