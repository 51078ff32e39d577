"""Name server outage: no name server answers, which is no host's fault.

Rules
- An outage is told to the user once.
- The run stops, to be resumed, when an outage has lasted a minute and no host whose address is known answered either.
Runs on: the loop.
"""

from collections.abc import Callable

from crawler.core.errors import NoNameServer
from crawler.core.protocols import Clock
from crawler.core.text import duration

_WITHOUT_NAMES = 60.0  # seconds; a router that restarts takes less


class NameOutage:
    """Name servers that are silent.

    Attributes:
        error: the reason to stop the run; None = it may go on.
        answered_at: monotonic moment of the last answer of any host.
    """

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self.error: NoNameServer | None = None
        self.answered_at = 0.0
        self._clock = clock
        self._say = say
        self._said: float | None = None  # the beginning of the outage that was told last

    def note(self, error: NoNameServer) -> None:
        """Note that a lookup got no answer."""
        if self._said != error.since:
            self._said = error.since
            self._say(f"waiting: {error}")
        lasted = self._clock.monotonic() - max(error.since, self.answered_at)
        if lasted > _WITHOUT_NAMES and self.error is None:
            self.error = error
            self._say(f"stopping after {duration(lasted)}: {error}")
