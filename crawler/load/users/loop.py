"""The closed loop of users who do more than send the next request: they come and go, think, log in, and keep cookies.

Rules
- A user has one request under way at most, and one connection to each host, which is opened for its first request.
- A user begins with the log-in, if there is one: each of its requests once, without thinking. It is not sent again.
- A user that leaves ends its request, keeps its cookies, and goes on where it was when it comes back.
- Like any closed loop it waits with the server; see `closed_loop.py`.
Runs on: the loop that loads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from crawler.core.urls import Url, parse
from crawler.http.framing import ResponseReader
from crawler.load.base_loop import Loop
from crawler.load.exchange import Request
from crawler.load.loop_setup import LoopSetup
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import Phase
from crawler.load.users.stages import Stay
from crawler.load.users.user import NO_HOST, User
from crawler.load.wire import Connection

_RETRY_DELAY = 100 * MILLISECOND  # after a dial that failed
_NO_LIMIT = 1 << 62
_MOST_URLS = 4096  # in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The behaviour of the users.

    Attributes:
        origins: the hosts, by their numbers.
        next: gives a user's next request after the log-in.
        logins: number of the requests of the log-in; `login` gives one by its number and the user's.
        think: the least and the most nanoseconds between an answer and the next request.
        wall: the wall clock, in seconds, for cookies; None = users keep none.
    """

    origins: Sequence[Url]
    next: Callable[[User], Request]
    logins: int = 0
    login: Callable[[int, User], Request] | None = None
    think: tuple[int, int] = (0, 0)
    wall: Callable[[], float] | None = None


class UserLoop(Loop):
    """A closed loop of users.

    Args:
        users: the users of this process, each with the times at which it takes part.
    """

    def __init__(self, setup: LoopSetup, behaviour: Behaviour, users: Sequence[tuple[User, Sequence[Stay]]]) -> None:
        super().__init__(setup)
        self.behaviour = behaviour
        self._users = users
        self._by_user: dict[tuple[int, int], Connection] = {}
        self._urls: dict[tuple[int, bytes], Url] = {}
        if behaviour.wall is not None:
            self.took = self.take_answer

    def open(self, when_open: Callable[[], None]) -> None:
        """Open nothing: a user connects when it comes."""
        self.origin = self.now()
        when_open()

    def add(self, connection: Connection) -> None:
        """Take a new connection, which may be another's successor."""
        super().add(connection)
        self._by_user[connection.user, connection.host] = connection

    @property
    def users(self) -> int:
        """Return the number of users that take part now."""
        return sum(user.is_present for user, _ in self._users)

    def begin_sending(self) -> None:
        """Let each user begin at its time."""
        for place, (_, stays) in enumerate(self._users):
            for begin, end in stays:
                self.setup.timers.at(self.origin + begin, partial(self.enter, place))
                if end is not None:
                    self.setup.timers.at(self.origin + end, partial(self.leave, place))

    def begin_phase(self, cells: Sequence[Phase]) -> None:
        """Let the users send the requests of this phase."""
        self.cells = cells
        self.left = self.setup.requests or _NO_LIMIT if cells[0].measured else _NO_LIMIT

    def end_phase(self, moment: int) -> None:
        """End the requests of the phase."""
        super().end_phase(moment)
        self.left = 0

    def enter(self, place: int, _moment: int = 0) -> None:
        """Let a user take part, and send its next request if none is under way."""
        user, _ = self._users[place]
        user.is_present = True
        if user.is_idle:
            self.go_on(place)

    def leave(self, place: int, _moment: int = 0) -> None:
        """Let a user end what is under way, and no more."""
        self._users[place][0].is_present = False

    def go_on(self, place: int, _moment: int = 0) -> None:
        """Send a user's next request, if it takes part and one is left."""
        user, _ = self._users[place]
        user.is_idle = True
        if self.is_over or not user.is_present or not self.left:
            return
        user.is_idle = False
        self.send(place, self._next(user))

    def _next(self, user: User) -> Request:
        behaviour = self.behaviour
        if behaviour.login is not None and user.logged_in < behaviour.logins:
            user.logged_in += 1
            return behaviour.login(user.logged_in - 1, user)
        user.step += 1
        return behaviour.next(user)

    def send(self, place: int, request: Request) -> None:
        """Send a request of a user, with the user's cookies."""
        now, user = self.now(), self._users[place][0]
        self.left -= 1
        cell = self.cells[request.group]
        cell.scheduled += 1
        cell.sent += 1
        if self.behaviour.wall is not None:
            data = user.with_cookies(request.data, self.url(request), self.behaviour.wall())
            request = request._replace(data=data)
        connection = self._by_user.get((place, request.host))
        if connection is None:
            connection = Connection(self, place, request.host)
            self.add(connection)
        connection.is_failed = False
        user.asked_host = request.host
        connection.ask(request, now, now)

    def serve(self, connection: Connection, now: int) -> None:
        """Let a user whose request has ended go on; after a failed dial, later."""
        user = self._users[connection.user][0]
        if user.asked_host != connection.host:
            return  # a connection has ended between two requests
        user.asked_host = NO_HOST
        if not self.left and not self.in_flight:
            self._advance(now)
        pause = self.pause_of(user)
        if connection.is_failed:
            pause = max(pause, _RETRY_DELAY)
        if pause:
            self.setup.timers.at(now + pause, lambda _: self.ended(connection))
        else:
            self.ended(connection)

    def pause_of(self, user: User) -> int:
        """Return the nanoseconds for which a user thinks after its answer; not after one of the log-in."""
        return 0 if user.logged_in < self.behaviour.logins else user.thinks(*self.behaviour.think)

    def ended(self, connection: Connection) -> None:
        """Let a user go on whose request has ended and who has thought."""
        self.go_on(connection.user)

    def url(self, request: Request) -> Url:
        """Return the URL of a request, for its cookies."""
        key = (request.host, request.data.split(b" ", 2)[1])
        url = self._urls.get(key)
        if url is None:
            if len(self._urls) >= _MOST_URLS:
                self._urls.clear()
            host = self.behaviour.origins[request.host].origin
            url = self._urls[key] = parse(host + key[1].decode("latin-1"), any_port=True)
        return url

    def take_answer(self, connection: Connection, reader: ResponseReader) -> None:
        """Keep the cookies of an answer."""
        values = reader.head.headers.named(b"set-cookie") if reader.head else ()
        if values and self.behaviour.wall is not None:
            user = self._users[connection.user][0]
            user.take_cookies(self.url(connection.request), values, self.behaviour.wall())
