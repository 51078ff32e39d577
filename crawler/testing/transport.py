"""The fake network of a `Fetcher`: answers out of a mapping or a function, and a record of what was asked.

Rules
- A URL that has no answer is an AssertionError, which no retry and no stream takes for an answer.
- Time is the clock's: delays, the pauses of retries and the age of cookies take none of the test's.
- Timeouts are those of one try; the `timeout` that a request has for all its tries together is of the real clock.
Runs on: the event loop of the Fetcher.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from functools import lru_cache

from crawler.core.errors import FetchError, UrlError, UsageError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.downloader.fetched import SentRequest
from crawler.downloader.headers import Headers
from crawler.downloader.responder import has_body
from crawler.downloader.timing import Timeouts
from crawler.testing.answers import FakeAnswer, Piece, Replies, answer_of
from crawler.testing.clock import FakeClock

_SHOWN = 20  # known URLs in a message


class UnknownUrl(AssertionError):
    """A request for a URL to which the test gives no answer."""


class FakeTransport:
    """Answers the requests of any number of Fetchers: `Fetcher(transport=FakeTransport({url: answer}))`.

    Args:
        answers: an answer for each URL, or "METHOD URL"; or a function that answers every request.
        default: the answer to other URLs; None = they raise `UnknownUrl`.
        clock: by default one that begins at a fixed moment of 2023.

    An answer is a `FakeAnswer`, or in short: a body as bytes, text or a mapping (JSON); a status; `(status, body)` or
    `(status, body, headers)`; an error, which is raised as it is; a function of the `SentRequest`, asynchronous or not,
    that returns any of these; or a list of them, given one after the other, the last one for ever.

    Attributes:
        answers: may be changed at any time.
        requests: every request so far, with all headers and the whole content that would go on the wire.
    """

    def __init__(
        self,
        answers: Mapping[str, Replies] | Callable[[SentRequest], object] | None = None,
        default: Replies | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        if callable(answers) and default is not None:
            raise UsageError("default: a function answers every request, leave it out")
        self.answers: dict[str, Replies] = {} if callable(answers) else dict(answers or {})
        self.default: object = answers if callable(answers) else default
        self.requests: list[SentRequest] = []
        self.clock = clock or FakeClock()
        self._given: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<FakeTransport {len(self.answers)} answers, {len(self.requests)} requests>"

    @property
    def slept(self) -> list[float]:
        """The seconds of each pause before a retry, in order."""
        return self.clock.slept

    async def respond(self, request: Request, fields: Headers, timeouts: Timeouts) -> "FakeFlow":
        """Note the request, and return its answer.

        Raises:
            UnknownUrl: it has none.
            Exception: the answer is an error, or a function that raises one.
        """
        asked = SentRequest(
            method=request.method,
            url=request.url.href,
            fields=fields,
            content=await _content(request),
            attempt=request.attempts,
            hops=request.way.hops,
        )
        self.requests.append(asked)
        await asyncio.sleep(0)
        answer = await self._answer(asked)
        self._pass(answer.delay, timeouts)
        response = Response(request=request, status=answer.status, headers=answer.fields())
        return FakeFlow(response, answer.pieces() if has_body(request.method, answer.status) else ())

    async def _answer(self, asked: SentRequest) -> FakeAnswer:
        key = next((key for key in (f"{asked.method} {asked.url}", asked.url) if key in self.answers), None)
        key = key or self._written_otherwise(asked)
        reply = self.default if key is None else self.answers[key]
        if reply is None:
            raise UnknownUrl(f"{asked.method} {asked.url} has no answer: there are {', '.join(self._known())}")
        if isinstance(reply, list):
            if not reply:
                raise AssertionError(f"answers: the list of {key or 'default'} is empty, give it an answer")
            place = key or f"{asked.method} {asked.url}"
            reply, self._given[place] = reply[min(self._given[place], len(reply) - 1)], self._given[place] + 1
        while callable(reply):
            reply = reply(asked)
            if inspect.isawaitable(reply):
                reply = await reply
        if isinstance(reply, Exception):
            raise reply
        try:
            return answer_of(reply)
        except UsageError as error:  # of which a stream would make an answer, and the test would go on
            raise AssertionError(f"answers: {asked.method} {asked.url}: {error}") from None

    def _written_otherwise(self, asked: SentRequest) -> str | None:
        """Return the key that means the same, such as one without the slash after the host."""
        for wanted in (f"{asked.method} {asked.url}", asked.url):
            for key in self.answers:
                if _canonical(key) == wanted:
                    return key
        return None

    def _known(self) -> Iterator[str]:
        yield from list(self.answers)[:_SHOWN] or ["none at all"]
        if len(self.answers) > _SHOWN:
            yield f"and {len(self.answers) - _SHOWN} more"

    def _pass(self, delay: float, timeouts: Timeouts) -> None:
        """Let the seconds of an answer's delay pass, as far as the timeouts let them.

        Raises:
            FetchError: a timeout is shorter.
        """
        limits = (
            (timeouts.first_byte, "first_byte_timeout", Reason.FIRST_BYTE_TIMEOUT),
            (timeouts.total, "timeout", Reason.TOTAL_TIMEOUT),
        )
        limit, keyword, reason = min(limits, key=lambda limit: limit[0])
        self.clock.advance(min(delay, limit))
        if delay > limit:
            raise FetchError(reason, f"the answer takes {delay:g} s, longer than {limit:g} s ({keyword})")


class FakeFlow:
    """Implements `Flow` over the pieces of an answer."""

    def __init__(self, response: Response, pieces: tuple[Piece, ...]) -> None:
        self.response = response
        self._pieces = iter(pieces)

    def __repr__(self) -> str:
        return f"<FakeFlow {self.response.status}>"

    async def piece(self) -> bytes:
        """Return the next piece; empty = the body is complete."""
        await asyncio.sleep(0)
        piece = next(self._pieces, b"")
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def close(self) -> None:
        """Leave the rest."""
        self._pieces = iter(())


async def _content(request: Request) -> bytes | None:
    """Return the whole body of a request."""
    if request.source is None:
        return request.body
    async with aclosing(request.source.pieces()) as pieces:
        return b"".join([piece async for piece in pieces])


@lru_cache(65_536)
def _canonical(key: str) -> str:
    method, space, url = key.rpartition(" ")
    try:
        return f"{method.upper()}{space}{parse(url).href}"
    except UrlError as error:
        raise UsageError(f"answers: {key[:200]!r} is neither a URL nor a method and a URL: {error}") from None
