"""load.users.loop: users in virtual time."""

from collections.abc import Callable, Sequence
from itertools import cycle

import pytest

from crawler.core.urls import parse
from crawler.load.exchange import Exchange, Request
from crawler.load.loop_setup import LoopSetup, Span
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.users.loop import Behaviour, UserLoop
from crawler.load.users.stages import Stay, UserStages
from crawler.load.users.user import User
from support.simulation import ANSWER, Server, Simulation, measured

HOME, LOGIN, STEP = (Request(f"GET /{name} HTTP/1.1\r\nHost: h\r\n\r\n".encode()) for name in ("home", "login", "step"))
ORIGIN = parse("http://127.0.0.1/")


class Users:
    """A test of users against a simulated server."""

    def __init__(self, latency: Callable[[int, int], int | None] = lambda _n, _now: MILLISECOND) -> None:
        self.simulation = Simulation()
        self.server = Server(self.simulation, latency)

    def run(
        self, behaviour: Behaviour, stays: Sequence[Sequence[Stay]], seconds: float | None, requests: int | None = None
    ) -> UserLoop:
        """Run it, and give the loop."""
        setup = LoopSetup(
            timers=self.simulation,
            exchange=Exchange(request=b"", timeout=SECOND),
            dial=self.server.dial,
            connections=len(stays),
            spans=[Span(name="measured", begin=0, end=None if seconds is None else round(seconds * SECOND))],
            grace=SECOND,
            requests=requests,
        )
        loop = UserLoop(setup, behaviour, [(User(number, 1), each) for number, each in enumerate(stays)])
        is_over: list[bool] = []
        loop.open(lambda: loop.start(self.simulation.now() + MILLISECOND, lambda: is_over.append(True)))
        self.simulation.run()
        assert is_over
        return loop


ALWAYS: list[Stay] = [(0, None)]


def test_users_think_between_an_answer_and_the_next_request() -> None:
    """An answer takes 10 ms and a thought 90 ms, so each of 5 users sends ten requests a second."""
    users = Users(lambda _n, _now: 10 * MILLISECOND)

    loop = users.run(Behaviour(origins=[ORIGIN], next=lambda _: HOME, think=(90 * MILLISECOND,) * 2), [ALWAYS] * 5, 4)

    assert measured(loop).outcomes["ok"] == pytest.approx(200, abs=5)
    assert users.server.dialled == 5


def test_stages_decide_how_many_users_take_part() -> None:
    """One user sends ten requests a second; the seconds of the test follow the line of the stages."""
    stages = UserStages([(4, 8), (2, 8), (4, 0)])
    users = Users(lambda _n, _now: 10 * MILLISECOND)
    behaviour = Behaviour(origins=[ORIGIN], next=lambda _: HOME, think=(90 * MILLISECOND,) * 2)

    loop = users.run(behaviour, [stages.stays(number) for number in range(stages.most)], 10)

    measured(loop)
    sent = [second.scheduled for second in loop.log.closed[:10]]
    assert sent == pytest.approx([15, 35, 55, 75, 80, 80, 70, 50, 30, 10], abs=7)
    users_of_seconds = [second.users for second in loop.log.closed[:10]]
    assert users_of_seconds == pytest.approx([2, 4, 6, 8, 8, 8, 6, 4, 2, 0], abs=1)


def test_each_user_logs_in_once_and_then_walks_its_steps() -> None:
    """Ten users, two requests of a log-in each, one after the other without thinking, before anything else."""
    order: list[tuple[int, str]] = []

    def login(number: int, user: User) -> Request:
        order.append((user.number, f"login {number}"))
        return LOGIN

    def step(user: User) -> Request:
        order.append((user.number, f"step {user.step}"))
        return STEP

    users = Users()
    loop = users.run(
        Behaviour(origins=[ORIGIN], next=step, login=login, logins=2, think=(SECOND, SECOND)), [ALWAYS] * 10, 3.5
    )

    measured(loop)
    for number in range(10):
        mine = [what for user, what in order if user == number]
        assert mine == ["login 0", "login 1", "step 1", "step 2", "step 3", "step 4"][: len(mine)]
        assert len(mine) >= 5
    assert users.server.requests[LOGIN.data] == 20


def test_each_user_sends_back_its_own_cookie() -> None:
    """The server gives each connection another one; no user sees another's."""
    users = Users()
    numbers = cycle(range(100))
    users.server.answer_to = lambda: ANSWER.replace(b"\r\n\r\n", b"\r\nSet-Cookie: id=%d\r\n\r\n" % next(numbers), 1)

    loop = users.run(
        Behaviour(origins=[ORIGIN], next=lambda _: HOME, wall=lambda: 0.0, think=(SECOND, SECOND)), [ALWAYS] * 3, 1.5
    )

    measured(loop)
    assert set(users.server.requests) == {
        HOME.data,
        *(HOME.data[:-2] + b"Cookie: id=%d\r\n\r\n" % number for number in range(3)),
    }


def test_cookies_are_kept_on_every_port() -> None:
    """One's own machine has all ports, those that a crawl never asks, too."""
    users = Users()
    origin = parse("http://127.0.0.1:6000/", any_port=True)

    loop = users.run(Behaviour(origins=[origin], next=lambda _: HOME, wall=lambda: 0.0), [ALWAYS], None, requests=3)

    assert measured(loop).outcomes["ok"] == 3


def test_a_number_of_requests_ends_the_test() -> None:
    """Users that think when it is reached are not waited for."""
    users = Users()

    loop = users.run(
        Behaviour(origins=[ORIGIN], next=lambda _: HOME, think=(60 * SECOND,) * 2), [ALWAYS] * 8, None, requests=8
    )

    assert measured(loop).outcomes["ok"] == 8
    assert loop.phases[0].end < SECOND


def test_a_user_whose_server_is_silent_goes_on_after_the_timeout() -> None:
    """Each request that gets no answer is one timeout, and the user is not lost."""
    users = Users(lambda n, _: None if n % 3 == 0 else MILLISECOND)

    loop = users.run(Behaviour(origins=[ORIGIN], next=lambda _: HOME, think=(SECOND, SECOND)), [ALWAYS], 20)

    phase = measured(loop)
    assert phase.outcomes["timed_out"] == pytest.approx(5, abs=1)
    assert phase.ok == pytest.approx(10, abs=1)
    assert users.server.dialled == phase.outcomes["timed_out"] + 1


def test_an_idle_connection_that_the_server_closes_wakes_no_user() -> None:
    """The user still thinks; its next request opens a new connection."""
    users = Users()
    users.server.hangs_up_after = 100 * MILLISECOND

    loop = users.run(Behaviour(origins=[ORIGIN], next=lambda _: HOME, think=(SECOND, SECOND)), [ALWAYS], 4.5)

    phase = measured(loop)
    assert phase.outcomes == {"ok": 5, "failed": 0, "timed_out": 0, "shed": 0, "in_flight": 0}
    assert phase.closed_by_server == 5
    assert phase.opened == 5
