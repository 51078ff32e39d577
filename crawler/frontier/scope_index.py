"""The scope of a run: the places that its seeds brought in, and the families of URLs that grew into traps.

Rules
- A place is stored with the seed that brought it, in one transaction. So a late seed, or the target of a seed's
  redirect, opens URLs that were found there before.
- A family of URLs is counted per host. When one would pass its limit the URL is refused, and then moves no counter.
- A seed brings its own place, is refused by nothing, and moves no counter.
Runs on: the storage thread, inside a transaction.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby

from crawler.core.finds import Run
from crawler.core.reasons import Reason
from crawler.core.sessions import Document, LinkingDocument
from crawler.core.traps import Family, families
from crawler.core.urls import Url
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.tables import Tables

_REMEMBERED = 200_000  # counters in memory; the rest is looked up again

Families = tuple[tuple[Family, int], ...]


def full_family(found: Families) -> Reason | None:
    """Return the reason why one more URL of these families is refused; None = there is room in each."""
    return next((family.reason for family, n in found if n + family.weight > family.limit), None)


class ScopeIndex:
    """The scope of the run in the database `db`; calendars are judged by the present `year`.

    Attributes:
        opened: how often this life has opened a place: what `covers` has said holds until then.
    """

    def __init__(self, db: Tables, policy: FrontierPolicy, year: int) -> None:
        self._db = db
        self._scope = policy.scope
        self._has_traps = policy.traps
        self._year = year
        self._counts: defaultdict[int, dict[bytes, int]] = defaultdict(dict)  # by host and family
        self._remembered = 0
        self._changed: set[tuple[int, bytes]] = set()
        self._covered: dict[object, bool] = {}  # folders of URLs, or hosts with ports where those are enough
        self.opened = 0
        self._read: set[str] | None = None  # the places; None = they are to be read

    def _forget_places(self) -> None:
        self._covered.clear()
        self._read = None

    @property
    def _places(self) -> set[str]:
        if self._read is None:
            self._read = {name for (name,) in self._db.rows("SELECT name FROM place")}
        return self._read

    def open_for(self, seed: Url) -> str | None:
        """Store the place that this seed brings in, and return it; None = it was in already."""
        if not self._scope.is_by_path and self.covers(seed):
            return None
        place = self._scope.brings(seed)
        if place in self._places:
            return None
        self._places.add(place)
        self._covered.clear()
        self.opened += 1
        self._db.insert_missing("place", ("name",), [(place,)])
        return place

    def covers(self, url: Url) -> bool:
        """Return whether a URL lies in a place that some seed brought in."""
        # No more of a URL tells its places than its folder, or its host and port.
        where = url.href.partition("?")[0].rpartition("/")[0] if self._scope.is_by_path else (url.host, url.port)
        is_in = self._covered.get(where)
        if is_in is None:
            if len(self._covered) >= _REMEMBERED:
                self._covered.clear()
            is_in = self._covered[where] = not self._places.isdisjoint(self._scope.places(url))
        return is_in

    def parts(self, run: Run) -> Iterable[tuple[bool, Run]]:
        """Return the parts of a run, in order, of which all URLs lie in scope (True) or out of it."""
        if not self._scope.is_by_path:
            return ((self.covers(run.find.url), run),)
        covered = groupby(run.hrefs, lambda href: self.covers(run.of(href).url))
        return ((is_in, Run(run.of(first), tuple(others))) for is_in, (first, *others) in covered)

    def place_of(self, url: Url) -> str | None:
        """Return the narrowest place that a seed brought in and that holds a URL; None = the URL is out of scope."""
        return next((place for place in reversed(self._scope.places(url)) if place in self._places), None)

    def trap(self, url: Url, host_id: int, document: Document | None) -> Reason | None:
        """Count a URL that is no seed, or return the reason when its family is too large already.

        `document` links to it; None = no document does, so none shows whether an id is a session's.
        """
        if not self._has_traps:
            return None
        found = self.families(url, host_id, document or LinkingDocument(url, ()))
        if reason := full_family(found):
            return reason
        for family, n in found:
            self._counts[host_id][family.key] = n + family.weight
            self._changed.add((host_id, family.key))
        return None

    @property
    def looks_ahead(self) -> bool:
        """Return whether `look_up` is of use."""
        return self._has_traps and self._db.is_far

    def look_up(self, urls: Iterable[tuple[int, Url]]) -> None:
        """Read the counters of these URLs of hosts, which are about to be counted, as one set."""
        wanted: set[tuple[int, bytes]] = set()
        for host_id, url in urls:
            counts = self._counts[host_id]
            wanted.update((host_id, family.key) for family in families(url, self._year) if family.key not in counts)
        for host_id, key in wanted:
            self._counts[host_id][key] = 0
        for host_id, key, n in self._db.rows_with("family", ("host", "key"), "n", wanted):
            self._counts[host_id][key] = n
        self._remembered += len(wanted)

    def families(self, url: Url, host_id: int, document: Document | None = None) -> Families:
        """Return the families of a URL that is no seed, and the size of each."""
        sizes, counts = [], self._counts[host_id]
        for family in families(url, self._year, document):
            if family.key not in counts:
                row = self._db.row("SELECT n FROM family WHERE host = ? AND key = ?", host_id, family.key)
                counts[family.key] = row[0] if row else 0
                self._remembered += 1
            sizes.append((family, counts[family.key]))
        return tuple(sizes)

    def write(self) -> None:
        """Write the counts into the transaction."""
        rows = [(host_id, key, self._counts[host_id][key]) for host_id, key in self._changed]
        self._db.put("family", ("host", "key"), ("n",), rows)
        self._changed.clear()
        if self._remembered > _REMEMBERED:
            self._counts.clear()
            self._remembered = 0

    def drop(self, host_ids: Iterable[int]) -> None:
        """Forget the counts of hosts that others may change from now on."""
        for host_id in host_ids:
            self._remembered -= len(self._counts.pop(host_id, ()))

    def read_again(self) -> None:
        """Read the places again, since others have opened some."""
        self.opened += 1
        self._forget_places()

    def forget(self) -> None:
        """Drop the counts and places of the transaction that was rolled back."""
        self._counts.clear()
        self._remembered = 0
        self._changed.clear()
        self._forget_places()
