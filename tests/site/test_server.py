"""The built-in site over real sockets: what arrives is what the truth says, and the log tells what happened."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from crawler.site.graph import PageKind
from crawler.site.log import Hit, RequestLog, most_at_once, read_log
from crawler.site.plan import Shares, SitePlan
from crawler.site.server import SiteServer
from crawler.site.truth import Site

ALL_CODINGS = {"Accept-Encoding": "gzip, deflate, br, zstd"}


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    """A client that shows bytes as they were sent and follows nothing."""
    async with ClientSession(
        connector=TCPConnector(limit=0), auto_decompress=False, timeout=ClientTimeout(total=30)
    ) as session:
        yield session


async def ask(
    client: ClientSession, url: str, *, method: str = "GET", headers: dict[str, str] = ALL_CODINGS
) -> tuple[ClientResponse, bytes]:
    """One exchange, the target sent as it is written."""
    async with client.request(
        method, URL(url, encoded=True), headers=headers, allow_redirects=False, skip_auto_headers=["Accept-Encoding"]
    ) as response:
        return response, await response.read()


def first(site: Site, kind: PageKind) -> str:
    """The path of the first page of a kind."""
    return next(path for path in site.paths(0) if (page := site.page(0, path)) and page.kind is kind)


async def test_every_page_arrives_as_the_truth_says(client: ClientSession) -> None:
    """Status, headers and bytes of every path of every host are the promised ones, and each was asked for once."""
    calm = Shares(redirects=0.1, missing=0.1, duplicates=0.1, codings=0.2, charsets=0.2, binary=0.1)
    async with SiteServer(Site(SitePlan(pages=80, hosts=2, largest=2_000, shares=calm))) as server:
        wanted = [
            (host, path)
            for host in (0, 1)
            for path in (*server.site.paths(host), "/robots.txt", "/sitemap.xml", "/no/such/page")
        ]

        for host, path in wanted:
            response, body = await ask(client, server.base_urls[host] + path)

            truth = server.site.page(host, path)
            if truth is None:
                assert response.status == 404
                continue
            assert (response.status, body) == (truth.status, truth.body), path
            assert set(truth.headers) <= set(response.headers.items())

        assert [(hit.host, hit.target) for hit in server.log] == wanted
        assert set(server.hits.values()) == {1}
        assert server.peak_concurrency == 1


async def test_each_host_has_its_own_address_on_one_port() -> None:
    """Virtual hosts are neighbours on loopback, so a client's limits per host see different hosts."""
    async with SiteServer(Site(SitePlan.plain(pages=1, hosts=3))) as server:
        urls = [URL(url) for url in server.base_urls]

    assert [url.host for url in urls] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert len({url.port for url in urls}) == 1


async def test_a_taken_address_is_replaced_by_another_port(client: ClientSession) -> None:
    """A host whose address cannot be had is served at the first address, and links lead there."""
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]

        async with SiteServer(Site(SitePlan.plain(pages=1, hosts=2)), port=port) as server:
            _, body = await ask(client, server.base_urls[0] + "/")

            url = URL(server.base_urls[1])
            assert url.host == "127.0.0.1"
            assert url.port != port
            assert server.base_urls[1].encode() in body


async def test_a_taken_port_is_an_error() -> None:
    """The port that was asked for is served, or nothing is."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with SiteServer(Site(SitePlan.plain(pages=1)), port=taken.getsockname()[1]):
            pass


async def test_head_is_get_without_the_body(client: ClientSession) -> None:
    """HEAD tells the length of what GET would send, and sends nothing."""
    async with SiteServer(Site(SitePlan.plain(pages=2))) as server:
        response, body = await ask(client, server.base_urls[0] + "/", method="HEAD")

        truth = server.site.page(0, "/")
        assert truth
        assert (response.status, body) == (200, b"")
        assert response.headers["Content-Length"] == str(len(truth.body))
        assert server.log[0].method == "HEAD"


async def test_other_methods_are_not_allowed(client: ClientSession) -> None:
    """POST is answered 405 with what is allowed."""
    async with SiteServer(Site(SitePlan.plain(pages=2))) as server:
        response, _ = await ask(client, server.base_urls[0] + "/", method="POST")

    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_coding_that_is_not_accepted_is_left_out(client: ClientSession) -> None:
    """A client that accepts no coding gets the decoded bytes and no Content-Encoding."""
    async with SiteServer(Site(SitePlan(pages=20, shares=Shares(codings=1.0)))) as server:
        path = first(server.site, PageKind.CODED)

        response, body = await ask(client, server.base_urls[0] + path, headers={})

        truth = server.site.page(0, path)
        assert truth
        assert body == truth.decoded
        assert "Content-Encoding" not in response.headers


async def test_a_busy_page_refuses_as_often_as_it_says(client: ClientSession) -> None:
    """The first requests get the told status and Retry-After, the next one the page."""
    async with SiteServer(Site(SitePlan(pages=20, shares=Shares(retry_after=1.0)))) as server:
        path = first(server.site, PageKind.RETRY)
        truth = server.site.page(0, path)
        assert truth
        assert truth.trouble

        refusals = [await ask(client, server.base_urls[0] + path) for _ in range(truth.trouble.times)]
        response, body = await ask(client, server.base_urls[0] + path)

        assert {(refused.status, refused.headers["Retry-After"]) for refused, _ in refusals} == {
            (truth.trouble.status, "1")
        }
        assert (response.status, body) == (200, truth.body)


async def test_a_flaky_page_fails_without_a_hint(client: ClientSession) -> None:
    """The first request gets a server error, the second the page."""
    async with SiteServer(Site(SitePlan(pages=20, shares=Shares(flaky=1.0)))) as server:
        url = server.base_urls[0] + first(server.site, PageKind.FLAKY)

        failed, _ = await ask(client, url)
        response, _ = await ask(client, url)

    assert failed.status in {500, 502}
    assert "Retry-After" not in failed.headers
    assert response.status == 200


async def test_slow_answers_wait_side_by_side(client: ClientSession) -> None:
    """Two hundred answers that take 0.3 s each are all in flight at once, by the server's count and by the log's."""
    async with SiteServer(Site(SitePlan.plain(pages=200, latency=0.3))) as server:
        async with asyncio.TaskGroup() as tasks:
            for url in server.site.urls():
                tasks.create_task(ask(client, url))

        assert server.peak_concurrency == most_at_once(server.log) == 200
        assert all(0.29 < hit.ended - hit.started < 10 for hit in server.log)


async def test_a_request_given_up_is_noted_as_such(client: ClientSession) -> None:
    """A client that leaves before the answer frees its place at once; the log says status 0."""
    plan = SitePlan(pages=20, slow_seconds=60.0, shares=Shares(slow=1.0))
    async with SiteServer(Site(plan)) as server:
        slow = first(server.site, PageKind.SLOW)
        _, writer = await asyncio.open_connection("127.0.0.1", URL(server.base_urls[0]).port)
        writer.write(f"GET {slow} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await ask(client, server.base_urls[0] + "/first")

        writer.transport.abort()
        await ask(client, server.base_urls[0] + "/second")
        await ask(client, server.base_urls[0] + "/third")

        assert {(hit.target, hit.status) for hit in server.log} >= {(slow, 0), ("/first", 404), ("/second", 404)}
        assert server.peak_concurrency == 2


async def test_what_is_no_http_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """A target with bytes that are not ASCII is answered 400, and is no request of the log."""
    async with SiteServer(Site(SitePlan.plain(pages=1))) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(server.base_urls[0]).port)
        writer.write(b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await reader.readline()
        writer.close()

    assert answer.split()[1] == b"400"
    assert server.log == []
    assert "Invalid char in url path" in caplog.text


async def test_closing_does_not_wait_for_slow_answers(client: ClientSession) -> None:
    """A server with an answer under way for a minute closes within a second, and its client sees the end."""
    async with SiteServer(Site(SitePlan(pages=20, slow_seconds=60.0, shares=Shares(slow=1.0)))) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(server.base_urls[0]).port)
        writer.write(f"GET {first(server.site, PageKind.SLOW)} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await ask(client, server.base_urls[0] + "/")
        begun = time.monotonic()

    rest = await reader.read()
    writer.close()
    assert (rest, server.log[-1].status) == (b"", 0)
    assert time.monotonic() - begun < 1.0


async def test_the_log_file_has_every_request(client: ClientSession, tmp_path: Path) -> None:
    """With a file, hits are read from there once the server is closed, and a later server appends."""
    path = tmp_path / "hits.jsonl"
    for _ in range(2):
        async with SiteServer(Site(SitePlan.plain(pages=20)), log_path=path) as server:
            for url in server.site.urls():
                await ask(client, url)

    hits = read_log(path)
    assert [hit.target for hit in hits] == [*server.site.paths(0)] * 2
    assert {(hit.host, hit.method, hit.status) for hit in hits} == {(0, "GET", 200)}
    assert all(hit.started <= hit.ended for hit in hits)


def test_the_process_ends_with_its_parent_s_pipe(tmp_path: Path) -> None:
    """`crawler serve --parent-pipe` prints its URLs, answers, and ends in order when its standard input closes."""
    log = tmp_path / "hits.jsonl"
    command = [sys.executable, "-m", "crawler", "serve", "--parent-pipe", "--port", "0"]
    command += ["--plain", "--pages", "5", "--hosts", "2", "--log", str(log)]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        url = URL(ready["urls"][1])
        with socket.create_connection((url.host or "", url.port or 0)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    # Leaving the block closes standard input and waits.

    truth = Site(SitePlan.plain(pages=5, hosts=2)).at(ready["urls"]).page(1, "/")
    assert truth
    assert answer.endswith(b"\r\n\r\n" + truth.body)
    assert (process.returncode, ready["pid"]) == (0, process.pid)
    assert [(hit.host, hit.target, hit.status) for hit in read_log(log)] == [(1, "/", 200)]


async def test_a_line_waits_a_quarter_of_a_second_at_most(tmp_path: Path) -> None:
    """A logged line is in the file a quarter of a second later, once, while the log stays open."""
    log = RequestLog(tmp_path / "hits.jsonl")
    hits = [Hit(host=0, method="GET", target="/", status=200, started=at, ended=at) for at in (1.0, 2.0)]

    seen = []
    for hit in hits:
        log.add(hit)
        await asyncio.sleep(0.26)  # the stated bound; the loop's timers ring in their order
        seen.append(read_log(tmp_path / "hits.jsonl"))
    log.close()

    assert seen == [hits[:1], hits]
    assert read_log(tmp_path / "hits.jsonl") == hits


@pytest.mark.parametrize(
    ("spans", "most"),
    [([], 0), ([(0, 1), (1, 2)], 1), ([(0, 3), (1, 2), (1, 4)], 3), ([(0, 9), (1, 2), (3, 4)], 2)],
)
def test_most_at_once_counts_overlaps(spans: list[tuple[float, float]], most: int) -> None:
    """Requests that only touch do not overlap."""
    hits = [Hit(host=0, method="GET", target="/", status=200, started=start, ended=end) for start, end in spans]

    assert most_at_once(hits) == most
