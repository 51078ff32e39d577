"""One request in, one response out, while the thread waits: Python's own http.client, on a kept-alive connection.

It is what `crawler models` gives to models without an event loop, and is made for that: servers that the user named, no
limits but a timeout and the largest body. The crawler itself fetches with `http.py`.
Rules
- A kept-alive connection that broke is replaced once, as there; a new one that breaks is the server's failure.
- What goes wrong has the same reasons as there.
Runs on: any thread or process; each has a client of its own.
"""

from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Self

from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.text import error_line

_HEADERS = {"Accept-Encoding": "gzip, deflate, br, zstd"}


class BlockingClient:
    """A connection to one server after another, opened when it is needed."""

    def __init__(self, config: FetchConfig) -> None:
        self._config = config
        self._headers = {"User-Agent": config.full_user_agent, **_HEADERS}
        self._where = ""
        self._connection: HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; the next request dials again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def fetch(self, request: Request) -> Response:
        """The response to one request.

        Raises:
            FetchError: there was no usable response.
        """
        if self._connection is not None and self._where == request.url.origin:
            try:
                return self._exchange(self._connection, request)
            except (ConnectionError, HTTPException):
                pass  # it may have been closed since the last answer
        self.close()
        self._where = request.url.origin
        self._connection = HTTPConnection(request.url.host.strip("[]"), request.url.port, timeout=self._config.timeout)
        try:
            return self._exchange(self._connection, request)
        except (OSError, HTTPException) as error:
            self.close()
            raise FetchError(_reason(error), error_line(error)) from error

    def _exchange(self, connection: HTTPConnection, request: Request) -> Response:
        connection.request("GET", request.url.target, headers=self._headers)
        answer = connection.getresponse()
        return _response(request, answer, answer.read(self._config.max_body))


def _response(request: Request, answer: HTTPResponse, body: bytes) -> Response:
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders())
    return Response(request=request, status=answer.status, headers=headers, body=body)


def _reason(error: Exception) -> Reason:
    if isinstance(error, ConnectionRefusedError):
        return Reason.CONNECT_REFUSED
    if isinstance(error, TimeoutError):
        return Reason.TOTAL_TIMEOUT
    if isinstance(error, IncompleteRead):
        return Reason.TRUNCATED
    if isinstance(error, OSError):
        return Reason.CONNECTION_LOST
    return Reason.PROTOCOL_ERROR
