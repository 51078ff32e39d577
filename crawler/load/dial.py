"""Opens the connections of a load test, to the one address that was judged, and gives each failure its reason.

Rule: TCP and TLS are timed apart.
Runs on: the loop that loads; one short task per connection, none per request.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from crawler.core.errors import FetchError
from crawler.core.network_errors import certificate_reason, connect_reason
from crawler.core.reasons import Reason
from crawler.load.tls import TlsSetup
from crawler.load.wire import Connection
from crawler.runtime.tasks import TaskSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of the server, and the way to trust it.

    Attributes:
        address: a socket address of this family, already judged; no name is looked up again.
        secured: its TLS; None = it speaks none.
    """

    family: int
    address: tuple[str, int] | str
    secured: TlsSetup | None = None

    @property
    def server_name(self) -> str | None:
        """Return the name in the server's certificate; None = no TLS."""
        return self.secured.name if self.secured else None

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context; None = no TLS.

        Raises:
            UsageError: a file for it cannot be used.
        """
        return self.secured.context() if self.secured else None


class Dialer:
    """`dialer(connection)` opens the connection, or tells it why not."""

    def __init__(self, endpoint: Endpoint, tasks: TaskSet, *, now: Callable[[], int], timeout: int) -> None:
        self._endpoint = endpoint
        self._tasks = tasks
        self._now = now
        self._timeout = timeout / 1e9
        self._tls = endpoint.tls()

    def __call__(self, connection: Connection) -> None:
        """Open the connection in a task of its own."""
        self._tasks.start(self._dial, connection)

    async def _dial(self, connection: Connection) -> None:
        loop, endpoint = asyncio.get_running_loop(), self._endpoint
        try:
            async with asyncio.timeout(self._timeout):
                began = self._now()
                sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
                try:
                    sock.settimeout(0)
                    await loop.sock_connect(sock, endpoint.address)
                    connected = self._now()
                    connection.tcp_time = connected - began
                    connection.tls_began = connected if self._tls else 0
                    open_ = loop.create_unix_connection if endpoint.family == socket.AF_UNIX else loop.create_connection
                    await open_(lambda: connection, sock=sock, ssl=self._tls, server_hostname=endpoint.server_name)
                except BaseException:
                    sock.close()
                    raise
        except OSError as error:  # TimeoutError and ssl.SSLError are
            connection.dial_failed(dial_error(error))


def dial_error(error: OSError) -> FetchError:
    """Return the reason why a connection could not be opened, and what the system or TLS said of it."""
    said = error.strerror or str(error) or type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchError(certificate_reason(error.verify_code), error.verify_message)
    if isinstance(error, ssl.SSLError):
        return FetchError(Reason.TLS_FAILED, error.reason or said)
    reason = Reason.CONNECT_TIMEOUT if isinstance(error, TimeoutError) else connect_reason(error.errno)
    sentences = {
        Reason.CONNECT_TIMEOUT: "the connection was not open in time",
        Reason.CONNECT_REFUSED: "nothing listens there",
        Reason.CLIENT_LIMIT: f"{errno.errorcode.get(error.errno or 0)}: {said}",
    }
    return FetchError(reason, sentences.get(reason, said))
