"""The blocking client: Python's own http.client, on a kept-alive connection.

Models without an event loop use it. It talks to a server that the user named, and has no limits but a timeout and the
largest body. The crawler itself uses `downloader/fetcher.py`.
Rules
- A kept-alive connection that broke is replaced once, as in the fetcher; a new one that breaks is the server's failure.
- Errors have the same reasons as in the fetcher.
Runs on: any thread or process; each has a client of its own.
"""

from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import Self

from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.text import error_line

_HEADERS = {"Accept-Encoding": "gzip, deflate, br, zstd"}


class BlockingClient:
    """A client with one connection, opened on demand."""

    def __init__(self, config: FetchConfig) -> None:
        self._config = config
        self._headers = {"User-Agent": config.full_user_agent, **_HEADERS}
        self._origin = ""
        self._connection: HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def fetch(self, request: Request) -> Response:
        """Return the response to one request.

        Raises:
            FetchError: there was no usable response.
        """
        if self._connection is not None and self._origin == request.url.origin:
            try:
                return self._exchange(self._connection, request)
            except (ConnectionError, HTTPException):
                pass  # the server may have closed it since the last response
        self.close()
        self._origin = request.url.origin
        self._connection = HTTPConnection(request.url.host.strip("[]"), request.url.port, timeout=self._config.timeout)
        try:
            return self._exchange(self._connection, request)
        except (OSError, HTTPException) as error:
            self.close()
            raise FetchError(_reason(error), error_line(error)) from error

    def _exchange(self, connection: HTTPConnection, request: Request) -> Response:
        connection.request("GET", request.url.target, headers=self._headers)
        answer = connection.getresponse()
        headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders())
        body = answer.read(self._config.max_body)
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
