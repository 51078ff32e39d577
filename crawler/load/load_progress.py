"""The progress of a load test as a script's callback gets it, about once a second.

Runs on: the loop of the process that asked for the test.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from crawler.core.errors import UsageError
from crawler.core.metrics import RecentRate
from crawler.load.plan import Plan
from crawler.load.progress import Progress
from crawler.load.result import LoadSetup, LoadVerdict
from crawler.load.so_far import verdict_so_far


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgress:
    """One moment of a load test; times in seconds.

    Attributes:
        seconds: since the start, the warm-up included; `planned` is the whole length, None = requests end the test.
        ok, failed, timed_out: requests that have ended so; `failed` excludes those that timed out.
        in_flight: requests under way.
        rate: requests per second that ended within the last seconds, well or not.
        p50, p99: of the response times so far, of the process with the longest; None = not yet known.
        verdict: on the test until now, `because` with its reason; None = no measured second has ended.
    """

    seconds: float
    planned: float | None
    ok: int
    failed: int
    timed_out: int
    in_flight: int
    rate: float
    p50: float | None
    p99: float | None
    verdict: LoadVerdict | None
    because: str


class Teller:
    """Tells a callback of each moment."""

    def __init__(self, asked: LoadSetup, plan: Plan, callback: Callable[[LoadProgress], object]) -> None:
        end = plan.spans[-1].end
        self._asked = asked
        self._planned = None if end is None else end / 1e9
        self._callback = callback
        self._rate = RecentRate()
        self._rate.at(0.0, 0)

    def __call__(self, seconds: float, progress: Progress) -> None:
        """Tell of one moment."""
        so_far = verdict_so_far(self._asked, progress)
        ended = progress.answered + progress.failed + progress.timed_out
        self._callback(
            LoadProgress(
                seconds=seconds,
                planned=self._planned,
                ok=progress.answered,
                failed=progress.failed,
                timed_out=progress.timed_out,
                in_flight=progress.in_flight,
                rate=self._rate.at(seconds, ended),
                p50=progress.times.p50 / 1e9 if progress.times.p50 else None,
                p99=progress.times.p99 / 1e9 if progress.times.p99 else None,
                verdict=so_far.verdict if so_far else None,
                because=so_far.because if so_far else "",
            )
        )


def check_callback(callback: object) -> None:
    """Refuse a callback that cannot be called.

    Raises:
        UsageError: it is no function, or an asynchronous one.
    """
    if callback is not None and (not callable(callback) or inspect.iscoroutinefunction(callback)):
        raise UsageError("progress: expected a plain function, which gets a crawler.LoadProgress once a second")
