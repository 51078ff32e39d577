"""What the figures of a load test are worth, and the one figure that decides it.

Rules, in this order
- TOO-SHORT: under a second, or under 100 answers: no percentile but the median means anything.
- CLIENT-BOUND: this tool was the limit, or part of it. It had no processor time left, its loop came so late that a
  twentieth of the measured time is its own, or this machine ran out of files or ports.
- RATE-NOT-REACHED: under 99 % of what came due was sent in time to count.
- SERVER-BOUND: the client had time to spare and waited for the server: always so in a closed loop; in an open one when
  more than one request in a hundred found every connection busy.
- OK: the server took what was sent.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence

from crawler.core.loadfacts import Client, Phase, merged, sum_up
from crawler.core.loadresult import Asked, Verdict, own_share
from crawler.core.reasons import Reason

_SECONDS = 1.0
_ANSWERS = 100
_CPU = 0.9  # of a core, in any process
_SHARE = 0.05  # of the mean service or response time
_LATE = 100_000  # ns; what is smaller decides nothing, whatever its share
_REACHED = 0.99
_WAITED = 0.01


def judge(asked: Asked, phases: Sequence[Phase], clients: Sequence[Client]) -> tuple[Verdict, str]:
    """The verdict, and why."""
    total = sum_up(phases)
    return (
        _too_short(total)
        or _client_bound(asked, total, clients)
        or (_rate_not_reached(total) if asked.mode == "open" else None)
        or _server_bound(asked, total, clients)
        or (Verdict.OK, f"{_percent(_sent_share(total))} of the schedule was sent; {_spare(clients)}")
    )


def _too_short(total: Phase) -> tuple[Verdict, str] | None:
    answers = total.answered
    if not total.ok:
        worst = max(total.failures, key=lambda kind: total.failures[kind].count, default="nothing was sent")
        return Verdict.TOO_SHORT, f"no request was answered well: {worst}"
    if answers < _ANSWERS:
        return Verdict.TOO_SHORT, f"{answers} answers; at least {_ANSWERS} are needed"
    if total.seconds < _SECONDS:
        return Verdict.TOO_SHORT, f"measured for {total.seconds:.2f} s; at least {_SECONDS:.0f} s is needed"
    return None


def _client_bound(asked: Asked, total: Phase, clients: Sequence[Client]) -> tuple[Verdict, str] | None:
    if (failure := total.failures.get(Reason.CLIENT_LIMIT)) is not None:
        return Verdict.CLIENT_BOUND, f"this machine ran out: {failure.first.detail} ({failure.count:,} times)"
    cpu = max(client.cpu for client in clients)
    if cpu >= _CPU:
        return Verdict.CLIENT_BOUND, f"the client used {_percent(cpu)} of a core; more --processes, or a lower rate"
    lag = merged(*(client.lag for client in clients))
    share, late = own_share(asked, total, lag)
    if late >= _LATE and share >= _SHARE:
        own = f"{late / 1e6:.2g} ms per request, sent or read late"
        return Verdict.CLIENT_BOUND, f"{_percent(share)} of the measured time is the client's own: {own}"
    return None


def _rate_not_reached(total: Phase) -> tuple[Verdict, str] | None:
    share = _sent_share(total)
    if share >= _REACHED:
        return None
    return Verdict.RATE_NOT_REACHED, f"{_percent(share)} of the scheduled requests could be sent"


def _server_bound(asked: Asked, total: Phase, clients: Sequence[Client]) -> tuple[Verdict, str] | None:
    if asked.mode == "closed":
        return Verdict.SERVER_BOUND, f"the client waited for the server; {_spare(clients)}"
    waited = sum(total.waiting.values())
    if waited <= _WAITED * total.sent:
        return None
    share = _percent(waited / total.sent)
    return Verdict.SERVER_BOUND, f"{share} of the requests found all {asked.connections} connections busy"


def _sent_share(total: Phase) -> float:
    """How much of what came due was sent in the time that it was meant for."""
    return total.sent / total.scheduled if total.scheduled else 0.0


def _spare(clients: Sequence[Client]) -> str:
    return f"the client used {_percent(max(client.cpu for client in clients))} of a core"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %" if share < 0.995 else f"{share * 100:.0f} %"
