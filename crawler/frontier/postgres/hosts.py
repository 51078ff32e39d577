"""The hosts that this worker may change, and the letters about all others (`frontier/letters.py`).

Rules
- A host is changed by the life that owns it. While it is free, a transaction may lock its row and change what is the
  host's, so what is found of new hosts needs no second step.
- A host that another life owns, or another transaction has locked, is away: what is found of it leaves as a letter.
- What is remembered of a host between transactions holds for hosts that are owned; all others are asked for again.
Runs on: the storage thread, inside a transaction.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from crawler.core.errors import InternalError
from crawler.core.scope import Scope
from crawler.core.urls import Host
from crawler.frontier.columns import AMONG
from crawler.frontier.letters import Letter
from crawler.frontier.postgres.tables import PostgresTables

_REMEMBERED = 100_000
_AT_ONCE = 5000  # letters in one transaction: about 50 ms
_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Letter)

_FREE = f"SELECT id FROM host WHERE id {AMONG} AND owner IS NULL ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"  # noqa: S608
_INSERT = (
    "INSERT INTO host (id, name, site) SELECT * FROM unnest(?::bigint[], ?::text[], ?::text[])"
    " ON CONFLICT DO NOTHING RETURNING name, id"
)
_NUMBERS = "SELECT nextval(pg_get_serial_sequence('host', 'id')) FROM generate_series(1, ?)"  # in the order of finding
_READ = (
    "DELETE FROM letter WHERE id IN (SELECT id FROM letter WHERE host = ANY (?) ORDER BY id LIMIT ?)"
    " RETURNING id, host, body"
)


class SharedHosts:
    """The hosts of the run; `scope` tells which of them come into scope together.

    Attributes:
        ids: the rows of hosts that this process has met lately.
        owned: the rows of the hosts of this life.
    """

    def __init__(self, db: PostgresTables, scope: Scope) -> None:
        self._db = db
        self._scope = scope
        self.ids: dict[Host, int] = {}
        self.owned: set[int] = set()
        self._claimed: set[int] = set()
        self._away: set[int] = set()
        self._letters: list[tuple[int, int, bytes]] = []

    # --- claims --------------------------------------------------------------------------------------------------

    def claim(self, hosts: Iterable[Host]) -> None:
        """Find or make the rows of these hosts, and lock those that are free."""
        hosts = dict.fromkeys(hosts)
        self._claimed.update(self._find(hosts))
        self.lock({self.ids[host] for host in hosts})

    def lock(self, host_ids: Collection[int]) -> None:
        """Lock those of these hosts that are free; the rest is away, but for those of this life."""
        if asked := set(host_ids) - self.owned - self._claimed - self._away:
            free = {number for (number,) in self._db.rows(_FREE, sorted(asked))}
            self._claimed |= free
            self._away |= asked - free

    def _find(self, hosts: Collection[Host]) -> list[int]:
        """Fill `ids`; return the rows that were made."""
        if len(self.ids) > _REMEMBERED:
            self.ids.clear()
        if not (unknown := [host for host in hosts if host not in self.ids]):
            return []
        self.ids.update(self._db.host_ids(unknown))
        new = [host for host in unknown if host not in self.ids]
        if not new:
            return []
        ids = dict(zip(new, (number for (number,) in self._db.rows(_NUMBERS, len(new))), strict=True))
        new.sort()  # workers that find the same hosts at the same moment wait at the first of them
        made = self._db.rows(_INSERT, [ids[host] for host in new], new, [self._scope.site(host) for host in new])
        self.ids.update(made)
        if others := [host for host in new if host not in self.ids]:  # made by another worker at the same moment
            self.ids.update(self._db.host_ids(others))
        return [number for _, number in made]

    def is_away(self, host: Host) -> bool:
        """Return whether the transaction may not change what is this host's."""
        number = self.ids.get(host)
        if number is None:
            self.claim((host,))
            number = self.ids[host]
        if number in self.owned or number in self._claimed:
            return False
        self.lock((number,))
        return number not in self._claimed

    def prove(self, hosts: Collection[Host]) -> None:
        """Refuse to go on unless this life owns all of these hosts, whose URLs it has visited.

        Raises:
            InternalError: it does not; the host was given back too early.
        """
        self._find(hosts)
        if strange := [host for host in hosts if self.ids[host] not in self.owned]:
            raise InternalError(f"a visit of {strange[0]}, which is not this worker's any more")

    # --- letters -------------------------------------------------------------------------------------------------

    def send(self, host: Host, letter: Letter) -> None:
        """Send a letter to the worker of a host."""
        depth = letter.find.way.depth if letter.find else 0
        self._letters.append((self.ids[host], depth, _ENCODER.encode(letter)))

    def tell_site(self, site: str) -> None:
        """Tell the workers of the hosts of this site that are away that a place has come into scope there."""
        found: dict[Host, int] = dict(self._db.rows("SELECT name, id FROM host WHERE site = ?", site))
        self.ids.update(found)
        self.lock(found.values())
        for host in found:
            if self.is_away(host):
                self.send(host, Letter(None))

    def receive(self) -> Sequence[tuple[int, Letter]]:
        """Take the letters to hosts of this life, and to free hosts."""
        waiting = {number for (number,) in self._db.rows("SELECT DISTINCT host FROM letter")}
        if not waiting:
            return ()
        self.lock(waiting)
        ours = [number for number in waiting if number in self.owned or number in self._claimed]
        rows = sorted(self._db.rows(_READ, ours, _AT_ONCE)) if ours else []
        return [(number, _DECODER.decode(body)) for _, number, body in rows]

    # --- the transaction -----------------------------------------------------------------------------------------

    @property
    def borrowed(self) -> set[int]:
        """Return the hosts that this transaction has locked and that no life owns."""
        return self._claimed - self.owned

    def write(self) -> None:
        """Write the letters into the transaction."""
        self._db.insert("letter", ("host", "depth", "body"), self._letters)

    def end(self) -> None:
        """Forget what held for the transaction alone."""
        self._claimed.clear()
        self._away.clear()
        self._letters.clear()

    def forget(self) -> None:
        """Forget what the transaction that was rolled back has made."""
        self.end()
        self.ids.clear()
