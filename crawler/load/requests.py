"""The requests of a test, open in one process: the one of the command line, or those of files.

Rules
- Few requests are kept in memory, ready to be sent; many are read from the mapped file, each when it is sent.
- The requests of the targets and those of the log-in have one numbering of groups and of hosts.
Runs on: the loop that loads.
"""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle
from math import gcd
from typing import Self

from crawler.load.exchange import Request
from crawler.load.plan import Plan
from crawler.load.targets.replay import Replay
from crawler.load.targets.targets import OpenTargets
from crawler.load.users.user import User

_KEPT = 32_768  # requests that are made once and kept; of more, each is made when it is sent
Draw = Callable[[], Request]


class OpenRequests:
    """The requests of a plan, as a context manager."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.usual = Request(plan.exchange.request, bodiless=plan.exchange.bodiless)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            targets, login = self._plan.targets, self._plan.login
            self._targets = None if targets is None else stack.enter_context(targets.open())
            self._login = None if login is None else stack.enter_context(login.open())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def draw(self) -> Draw | None:
        """Return a function that gives the process's requests in order; None = all are `usual`."""
        if self._targets is None or self._plan.targets is None:
            return None
        processes = self._plan.shape.processes
        deal = self._targets.dealer(self._plan.index, processes)
        return _dealt(self._targets, deal, self._plan.targets.count, processes)

    def next_of_user(self) -> Callable[[User], Request]:
        """Return a function that gives each user's next request after the log-in."""
        draw, targets, opened = self.draw(), self._plan.targets, self._targets
        if targets is None or opened is None or draw is None:
            return lambda _user: self.usual
        if not self._plan.users.steps:
            return lambda _user: draw()
        rows = targets.rows
        count = targets.count // rows
        return lambda user: _request(opened, (user.step - 1) % count * rows + user.number % rows)

    def login(self, step: int, user: User) -> Request:
        """Return a request of the log-in; a user has the row of its number of the feed."""
        plan, opened = self._plan, self._login
        assert plan.login is not None  # noqa: S101 - only users with a log-in come here
        assert opened is not None  # noqa: S101
        rows = plan.login.rows
        found = _request(opened, step * rows + user.number % rows)
        return found._replace(group=plan.login_groups[found.group], host=plan.login_hosts[found.host])

    def replay(self) -> Replay:
        """Return the schedule of the file's own times."""
        assert self._targets is not None  # noqa: S101 - a replay has a file
        return self._targets.replay()


def _request(opened: OpenTargets, number: int) -> Request:
    return Request(opened.message(number), opened.group(number), opened.origin(number), bool(opened.is_head(number)))


def _dealt(opened: OpenTargets, deal: Callable[[], int], count: int, processes: int) -> Draw:
    if count > _KEPT:
        return lambda: _request(opened, deal())
    kept = [_request(opened, number) for number in range(count)]
    if opened.is_drawn:
        return map(kept.__getitem__, iter(deal, None)).__next__
    period = count // gcd(count, processes)  # after which a process's share of the passes begins anew
    return cycle([kept[deal()] for _ in range(period)]).__next__
