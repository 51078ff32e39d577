"""Keep-alive: which idle connections may carry another request, and how many of them are kept.

Rules
- A server that pushes an answer while our next request is on its way cannot be told from one that answers it. So a host
  first shows on some connections that it stays silent between answers, 0.1 s each, before it gets connections back
  at once. A host that spoke unasked gets a new connection for every request from then on.
- All pools together keep a limited number of idle connections; past the limit the longest idle one is dropped. Where
  open files run short, they make room for new ones (`sockets.py`).
Strategy: a host that is asked without pause pays with a connection per request for 0.1 s; one that is asked twice a
second pays nothing.
Runs on: the event loop.
"""

from collections import OrderedDict
from typing import Protocol

KEEP_ALIVE_SECONDS = (
    60.0  # the longest delay that latency and trouble ask for: such a host is not dialled for each page
)
FRESH_SECONDS = 1.0  # servers wait for two seconds at least, most for five or more
QUIET_SECONDS = 0.1
QUIET_PROOFS = 16
_SPOKE = -1
_HOSTS_REMEMBERED = 4096
_MANY = 1024  # connections; where more are kept, one over TLS counts as four, since it has the larger buffers


class ReuseTrust:
    """The hosts, by origin, that have shown whether they speak only when asked."""

    def __init__(self) -> None:
        self._proofs: dict[str, int] = {}

    def may_return(self, origin: str, idle: float) -> bool:
        """Return whether a connection that was silent for `idle` seconds may be used again."""
        proofs = self._proofs.get(origin, 0)
        return proofs >= QUIET_PROOFS or (proofs != _SPOKE and idle >= QUIET_SECONDS)

    def may_wait(self, origin: str, waiting: int) -> bool:
        """Return whether one more connection may be kept beside those that wait: until proven, as many as prove it."""
        proofs = self._proofs.get(origin, 0)
        return proofs >= QUIET_PROOFS or (proofs != _SPOKE and waiting < QUIET_PROOFS)

    def was_quiet(self, origin: str, idle: float) -> None:
        """Note that a connection was silent for `idle` seconds and is used again."""
        if idle >= QUIET_SECONDS and (proofs := self._proofs.get(origin, 0)) < QUIET_PROOFS:
            self._note(origin, proofs + 1)

    def spoke_unasked(self, origin: str) -> None:
        """Note that a connection brought bytes that belong to no request."""
        self._note(origin, _SPOKE)

    def _note(self, origin: str, proofs: int) -> None:
        self._proofs[origin] = proofs
        if len(self._proofs) > _HOSTS_REMEMBERED:
            del self._proofs[next(iter(self._proofs))]


class Idle(Protocol):
    """A connection that waits for its next request, since `idle_since` (monotonic seconds)."""

    idle_since: float
    is_tls: bool

    def abort(self) -> None:
        """End it at once."""
        ...


class IdleConnections:
    """The idle connections of all pools, the longest idle one first; at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weight = 0
        self._tls_weight = 4 if limit > _MANY else 1
        self._waiting: OrderedDict[Idle, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<IdleConnections {len(self._waiting)} of {self._limit}>"

    def add(self, connection: Idle) -> None:
        """Count a connection that waits for its next request; drop the longest idle ones past the limit."""
        self._waiting[connection] = None
        self._weight += self._tls_weight if connection.is_tls else 1
        while self._weight > self._limit:
            self.drop_longest()

    def discard(self, connection: Idle) -> None:
        """Forget a connection that is in use again, or gone."""
        if connection in self._waiting:
            del self._waiting[connection]
            self._weight -= self._tls_weight if connection.is_tls else 1

    def drop_longest(self) -> None:
        """End the connection that has been idle for the longest time, if there is one."""
        if self._waiting:
            oldest = next(iter(self._waiting))
            self.discard(oldest)
            oldest.abort()

    def drop_expired(self, now: float) -> None:
        """End the connections that have been idle for longer than any is kept."""
        while self._waiting and now - next(iter(self._waiting)).idle_since > KEEP_ALIVE_SECONDS:
            self.drop_longest()
