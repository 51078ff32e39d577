"""Flows: answers whose bodies are read as they come, in raw pieces.

Rules
- A flow holds its connection until it is closed. One that is closed before all of it has come drops the connection;
  another gives it back to the pool.
- The body has no time limit as a whole: a server that pauses is left after the idle timeout. The socket waits while
  64 KiB wait to be taken, and then the server is not blamed.
- A byte rate is waited for before the next piece is taken: a piece would be lost if that wait were cancelled behind it.
- What came over a kept-alive connection may have been sent unasked. Pieces that were handed out cannot be taken back,
  so the end of such a flow is an error.
Runs on: the event loop.
"""

from contextlib import AsyncExitStack
from typing import Protocol

from crawler.core.errors import FetchError
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.downloader.body import ByteRate
from crawler.downloader.connection import HttpConnection, SourceFailed
from crawler.downloader.failures import FOREIGN, reach_error


class Flow(Protocol):
    """An answer whose body is still to come.

    Attributes:
        response: the answer without its body.
    """

    response: Response

    async def piece(self) -> bytes:
        """Return the next bytes of the body as they were sent; empty = it is complete.

        Raises:
            FetchError: the body ends too early, or pauses for too long.
        """
        ...

    async def close(self) -> None:
        """Leave the answer, and free all that it holds."""
        ...


class HttpFlow:
    """Implements `Flow` over one connection.

    Args:
        held: is closed with the flow; it ends an upload and gives the connection back.
        rate: of bodies that come; None = there is none.
        is_reused: the connection was kept alive.
    """

    def __init__(
        self,
        response: Response,
        connection: HttpConnection,
        held: AsyncExitStack,
        rate: ByteRate | None,
        *,
        is_reused: bool,
    ) -> None:
        self.response = response
        self._connection = connection
        self._held = held
        self._rate = rate
        self._is_reused = is_reused
        self._owed = 0  # bytes taken that the rate has not been asked for

    def __repr__(self) -> str:
        return f"<HttpFlow {self.response.status} from {self.response.request.url.origin}>"

    async def piece(self) -> bytes:
        """Return the next bytes of the body as they were sent; empty = it is complete."""
        if self._rate is not None and self._owed:
            owed, self._owed = self._owed, 0
            await self._rate.wait(owed)
        try:
            piece = await self._connection.piece()
        except FOREIGN as error:
            raise reach_error(error, self.response.request.url.host_port) from error
        except SourceFailed as failed:
            raise failed.error from None
        if not piece and self._is_reused and self._connection.unasked:
            raise unasked_error()
        self._owed = len(piece)
        return piece

    async def close(self) -> None:
        """Drop the connection, or give it back if all of the answer has come."""
        if self._connection.is_complete:
            self._connection.rest()
        else:
            self._connection.abort()
        await self._held.aclose()


def unasked_error() -> FetchError:
    """Return the error of an answer over a kept-alive connection on which the server spoke unasked."""
    message = "the server sent bytes that nobody had asked for: the answer may be another request's"
    return FetchError(Reason.PROTOCOL_ERROR, message)
