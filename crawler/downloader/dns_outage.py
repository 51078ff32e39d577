"""DNS outages: are the name servers themselves out, or do single names get no answer?

Rules
- An outage is suspected when eight names in a row got no answer to questions asked since the last answer to any:
  silence, a failure (SERVFAIL, REFUSED) or an unreachable server. Then the root's name servers are asked for, which
  every working resolver knows (RFC 8109). Names that fail meanwhile are held until that question is answered or fails,
  so eight dead names in a row are no outage.
- In an outage one name a second may still be asked, and the root beside it. Any answer ends the outage.
- An address is an answer, and so is the denial that a name exists.
Runs on: the event loop (pure but for the clock and the question that it is given).
"""

from collections.abc import Callable

_NAMES = 8
_PROBE_SECONDS = 1.0

Settle = Callable[[bool], None]


class DnsOutage:
    """The state of the name servers, told from the lookups' results.

    Args:
        ask_root: asks for the root's servers, and calls back later: True = there was an answer.

    Attributes:
        since: monotonic moment since when no name server answers; None = they answer.
    """

    def __init__(self, now: Callable[[], float], ask_root: Callable[[Settle], None]) -> None:
        self.since: float | None = None
        self._now = now
        self._ask_root = ask_root
        self._answered_at = float("-inf")
        self._missed: dict[str, float] = {}
        self._held: list[Settle] = []
        self._is_asking = False
        self._probe: str | None = None
        self._probe_due = 0.0

    def may_ask(self, name: str) -> bool:
        """Return whether to ask for a name now; in an outage, only as the next probe, which then has begun."""
        if self.since is None:
            return True
        now = self._now()
        if self._probe is not None or now < self._probe_due:
            return False
        self._probe, self._probe_due = name, now + _PROBE_SECONDS
        self._suspect()
        return True

    def answered(self) -> None:
        """Note an answer, which ends every suspicion and outage."""
        self._answered_at = self._now()
        self._missed.clear()
        self._probe = self.since = None
        self._settle(is_out=False)

    def missed(self, name: str, began: float, asked: float, settle: Settle) -> None:
        """Note a name without an answer; it was asked for first when it `began`, and last when it was `asked`.

        `settle` is called, maybe later: True = that is an outage.
        """
        if self._probe == name:
            self._probe = None
        if self.since is not None:
            settle(True)  # noqa: FBT003 - its one argument
            return
        if asked >= self._answered_at:
            self._missed.setdefault(name, began)
        self._held.append(settle)
        if len(self._missed) >= _NAMES:
            self._suspect()
        elif not self._is_asking:
            self._settle(is_out=False)

    def not_asked(self, name: str) -> None:
        """Note a name that was not asked for, since this machine lacked a file or the like."""
        if self._probe == name:
            self._probe = None

    def _suspect(self) -> None:
        if not self._is_asking:
            self._is_asking = True
            self._ask_root(self._root_asked)

    def _root_asked(self, is_answered: bool) -> None:  # noqa: FBT001 - a callback's one argument
        self._is_asking = False
        if is_answered:
            self.answered()
            return
        if self.since is None and len(self._missed) >= _NAMES:
            self.since = max(min(self._missed.values()), self._answered_at)
            self._probe_due = self._now() + _PROBE_SECONDS
        self._settle(is_out=self.since is not None)

    def _settle(self, *, is_out: bool) -> None:
        held, self._held = self._held, []
        for settle in held:
            settle(is_out)
