"""The places of single calls: `get`, `open` and their kin wait for one, so that any number may be started at once.

Rules
- A place is held while a request is under way, or its answer open; not in the pause before a further try.
- Where all places are held by answers that stay open, nothing would ever go on. So a call that sees no place become
  free for as long as one try may take is an error.
Runs on: the event loop.
"""

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.downloader.flow import Flow
from crawler.downloader.transport import Transport
from crawler.runtime.tasks import WatchedSemaphore


class NoPlace(FetchError):
    """No place became free: another try would wait as long."""


class CallPlaces:
    """The places of all calls of a `Fetcher`.

    Args:
        limit: places.
        patience: seconds in which one at least has to become free.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self._limit = limit
        self._free = WatchedSemaphore(limit, patience)

    def __repr__(self) -> str:
        return f"<CallPlaces {self._free!r}>"

    async def acquire(self) -> None:
        """Take a place, once one is free.

        Raises:
            FetchError: CLIENT_LIMIT, none became free in time.
        """
        try:
            await self._free.acquire()
        except TimeoutError:
            message = f"none of {self._limit} places became free in {self._free.patience:g} s: raise concurrency"
            raise NoPlace(Reason.CLIENT_LIMIT, f"{message}, or close the answers that are open") from None

    def release(self) -> None:
        """Give a place back."""
        self._free.release()


class CallSender:
    """Implements `Sender` for a call that wants the whole answer."""

    def __init__(self, transport: Transport, places: CallPlaces) -> None:
        self._transport = transport
        self._places = places

    async def fetch(self, request: Request) -> Response:
        """Wait for a place, send the request, and return the response."""
        await self._places.acquire()
        try:
            return await self._transport.fetch(request)
        finally:
            self._places.release()

    async def leave(self) -> None:
        """Do nothing: between two requests the call holds no place."""


class OpenSender:
    """Implements `Sender` for a call that wants the answer as it comes: its latest response is open.

    Attributes:
        flow: the latest answer, with its body still to come; None = there is none.
    """

    def __init__(self, transport: Transport, places: CallPlaces) -> None:
        self.flow: Flow | None = None
        self._transport = transport
        self._places = places

    async def fetch(self, request: Request) -> Response:
        """Leave the answer before, wait for a place, send the request, and return the head of its response."""
        await self.leave()
        await self._places.acquire()
        try:
            self.flow = await self._transport.open(request)
        except BaseException:
            self._places.release()
            raise
        return self.flow.response

    async def leave(self) -> None:
        """Leave the answer, and give up the place."""
        flow, self.flow = self.flow, None
        if flow is not None:
            try:
                await flow.close()
            finally:
                self._places.release()
