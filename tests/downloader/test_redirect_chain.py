"""downloader.redirect_chain: tries, hooks and credentials of a request, over fixed answers."""

import asyncio

import pytest

from crawler import DigestAuth, Fetcher, RetryNotice, SentRequest
from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.fetched import masked
from crawler.testing import FakeTransport

URL = "http://h/"


def broken(_: object) -> None:
    """Fail as a server does whose connection breaks."""
    raise FetchError(Reason.CONNECTION_LOST, "of a hook")


@pytest.mark.parametrize("hook", ["on_request", "on_response", "auth"])
async def test_an_error_of_the_user_s_own_functions_ends_the_request(hook: str) -> None:
    """It is no failure of the server, whatever its class, so nothing is tried again."""
    transport = FakeTransport({URL: b""})

    async with Fetcher(transport=transport, **{hook: broken}) as fetcher:  # type: ignore[arg-type] # for each name
        with pytest.raises(FetchError, match="of a hook"):
            await fetcher.get(URL)

    assert len(transport.requests) <= 1
    assert transport.slept == []


async def test_hooks_are_told_of_everything() -> None:
    """Each try and each redirect, and what a retry follows; a hook may be asynchronous."""
    told: list[object] = []

    async def note(fact: object) -> None:
        told.append(fact)

    transport = FakeTransport(
        {URL: [FetchError(Reason.TRUNCATED, "cut"), 503, (302, b"", {"Location": "/b"})], "http://h/b": b"end"}
    )
    async with Fetcher(transport=transport, on_request=note, on_response=note, on_retry=note) as fetcher:
        answer = await fetcher.get(URL, extra=7)

    assert (answer.text, answer.history, answer.request.hops) == ("end", (URL,), 1)
    assert [type(fact).__name__ for fact in told] == [
        *("SentRequest", "RetryNotice", "SentRequest", "Answer", "RetryNotice", "SentRequest", "Answer"),
        *("SentRequest", "Answer"),
    ]
    notices = [fact for fact in told if isinstance(fact, RetryNotice)]
    assert [(notice.status, getattr(notice.error, "reason", None)) for notice in notices] == [
        (None, Reason.TRUNCATED),
        (503, None),
    ]


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ({}, "Basic YTpi"),
        ({"auth": ("c", "d")}, "Basic Yzpk"),
        ({"bearer": "t"}, "Bearer t"),
        ({"auth": lambda _: None}, None),
        ({"auth": lambda _: "Own x"}, "Own x"),
        ({"auth": DigestAuth("c", "d")}, None),
    ],
)
async def test_a_request_s_credentials_replace_the_fetcher_s(own: dict[str, object], sent: str | None) -> None:
    """A request that has its own, or none, shows no server those of the Fetcher."""
    transport = FakeTransport({URL: b""})

    async with Fetcher(transport=transport, auth=("a", "b")) as fetcher:
        await fetcher.get(URL, **own)  # type: ignore[arg-type] # each is an option

    assert transport.requests[0].headers.get("Authorization") == sent


async def test_computed_credentials_stay_at_home() -> None:
    """A function is asked for each try, and not for another origin."""
    asked: list[str] = []

    def token(request: SentRequest) -> str:
        asked.append(request.url)
        return f"Bearer {len(asked)}"

    transport = FakeTransport({URL: [503, (302, b"", {"Location": "http://other/"})], "http://other/": b""})
    async with Fetcher(transport=transport, auth=token) as fetcher:
        await fetcher.get(URL)

    assert asked == [URL, URL]
    assert [request.headers.get("Authorization") for request in transport.requests] == ["Bearer 1", "Bearer 2", None]


async def test_digest_answers_every_new_nonce_once() -> None:
    """A server that renews its nonces is answered again, and one that refuses an answer has refused the password."""
    nonces = iter(["a", "b"])
    good = ""

    def serve(request: SentRequest) -> object:
        nonlocal good
        if good and f'nonce="{good}"' in request.headers.get("Authorization", ""):
            good = ""  # it serves one request
            return 200
        good = next(nonces, good)
        return 401, b"", {"WWW-Authenticate": f'Digest realm="r", qop="auth", nonce="{good or "b"}"'}

    transport = FakeTransport(serve)
    async with Fetcher(transport=transport, auth=DigestAuth("me", "pw")) as fetcher:
        statuses = [(await fetcher.get(URL)).status for _ in range(3)]

    assert statuses == [200, 200, 401]
    assert len(transport.requests) == 2 + 2 + 1


@pytest.mark.parametrize("reference", ["//evil.example/x", "\\\\evil.example/x"])
async def test_only_a_scheme_leads_away_from_base_url(reference: str) -> None:
    """A reference that names another host is refused, since credentials would go there."""
    transport = FakeTransport({"http://h/v1/x": b"in", "http://other/": b"out"})

    async with Fetcher(transport=transport, base_url="http://h/v1/", auth=("a", "b")) as fetcher:
        assert (await fetcher.get("x")).text == "in"
        assert (await fetcher.get("http://other/")).text == "out"
        with pytest.raises(UsageError, match="leads away from base_url"):
            await fetcher.get(reference)

    assert len(transport.requests) == 2


async def test_a_cancelled_future_of_the_user_s_is_an_error_of_the_stream() -> None:
    """It is raised where the answers are read: nothing else would ever come."""

    async def token(_: SentRequest) -> str:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    async with asyncio.timeout(10), Fetcher(transport=FakeTransport({URL: b""}), auth=token) as fetcher:
        with pytest.raises(asyncio.CancelledError):
            [answer async for answer in fetcher.stream([URL])]


async def test_a_closed_fetcher_tries_nothing_again() -> None:
    """A request in flight ends at once."""
    release = asyncio.Event()

    async def slow(_: SentRequest) -> FetchError:
        await release.wait()
        raise FetchError(Reason.CONNECTION_LOST, "the fetcher was closed")

    transport = FakeTransport(slow)
    async with Fetcher(transport=transport) as fetcher:
        request = asyncio.ensure_future(fetcher.get(URL))
        await asyncio.sleep(0)
    release.set()

    with pytest.raises(FetchError, match="closed"):
        await request
    assert transport.slept == []


async def test_a_place_that_never_comes_is_waited_for_once() -> None:
    """A further try would wait as long."""
    transport = FakeTransport({URL: b"x"})

    async with Fetcher(transport=transport, concurrency=1, timeout=0.1) as fetcher, fetcher.open("GET", URL):
        with pytest.raises(FetchError) as caught:
            await fetcher.get(URL)

    assert caught.value.reason is Reason.CLIENT_LIMIT
    assert caught.value.url == URL
    assert transport.slept == []


def test_a_password_is_shown_nowhere() -> None:
    """Every spelling of a URL is masked, also one that is none."""
    for text in ("http://u:s3cret@h/", "http:/u:s3cret@h/", "http:u:s3cret@ho^st/", "u:s3cret@host/", "\\\\u:s3cret@h"):
        assert "s3cret" not in masked(text)
    for text in ("http://h/a@b", "http://h?q=a@b", "/a@b", "mailto:a@b"):
        assert masked(text).endswith("b")
