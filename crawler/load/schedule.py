"""The requests of an open loop in the order of their due moments, each host's apart.

Strategy: each host walks through the whole schedule by itself and takes its own requests, so no request has to wait in
memory for its host, however far behind that host is.
Runs on: anywhere (pure).
"""

from collections.abc import Callable

from crawler.core.protocols import Pacer
from crawler.load.exchange import Request


class Schedule:
    """One host's requests, with the moment at which each is due.

    Args:
        pacer: the due moments of all hosts' requests; this schedule's own.
        draw: gives the requests of all hosts in order; this schedule's own. None = all are `usual`.
        host: the number of the host; None = it is the only one.
    """

    def __init__(
        self, pacer: Pacer, *, usual: Request, draw: Callable[[], Request] | None = None, host: int | None = None
    ) -> None:
        self._pacer = pacer
        self._draw = draw
        self._usual = usual
        self._host = host
        self._number = 0

    def next(self) -> tuple[int, Request] | None:
        """Return the next request and the nanosecond after the start at which it is due; None = there is none left."""
        while (due := self._pacer.due(self._number)) is not None:
            self._number += 1
            request = self._usual if self._draw is None else self._draw()
            if self._host is None or request.host == self._host:
                return due, request
        return None
