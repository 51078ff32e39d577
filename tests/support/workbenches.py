"""A workbench with three hosts of different pace."""

from crawler.core.leases_and_commits import HostState
from crawler.core.messages import Request
from crawler.core.throttle import Heard, HostThrottle, ThrottleBounds
from crawler.core.urls import Host, parse
from crawler.engine.workbench import Workbench

BOUNDS = {
    Host("a:80"): ThrottleBounds(per_host=1, delay=0.0),
    Host("b:80"): ThrottleBounds(per_host=2, delay=0.5),
    Host("c:80"): ThrottleBounds(per_host=3, delay=2.0),
}


A, B, C = sorted(BOUNDS)


PLENTY = 1000  # free slots


def ask(host: Host, number: int = 0) -> Request:
    """A request for this host."""
    return Request(url=parse(f"http://{host}/{number}"), id=number)


def a_workbench(capacity: int = PLENTY) -> Workbench:
    """A workbench with three hosts of different pace."""
    return Workbench(lambda host, state: HostThrottle(BOUNDS[host], state), capacity)


def due_at(host: Host, moment: float) -> dict[Host, HostState]:
    """Return the stored state of a host that may be asked at that moment."""
    return {host: HostState(due=moment)}


def known(bounds: ThrottleBounds, latency: float = 0.1) -> HostThrottle:
    """The pace of a host whose last page was answered after so many seconds."""
    pace = HostThrottle(bounds)
    pace.hear(Heard(asked_at=0.0, status=200, latency=latency), 0.0, 0.0)
    return pace


def sent(bench: Workbench, now: float, free: int = PLENTY) -> Host | None:
    """Take and send what is due; the host that was asked."""
    if (found := bench.take(now, free, may_dial=True)) is None:
        return None
    host = found[0].url.host_port
    bench.send(host, now)
    return host
