"""downloader.received_cookies: cookies that servers set, kept apart by origin."""

import pytest

from crawler.core.messages import Request, Response
from crawler.core.urls import parse
from crawler.downloader.client import Fetcher
from crawler.downloader.received_cookies import ORIGINS_REMEMBERED, ReceivedCookies
from support.siteserver import HandMadeSite


def _site(site: HandMadeSite, cookie: str) -> None:
    site.add_page("/set", headers=[("Set-Cookie", cookie)])
    site.add_page("/page")


async def test_two_ports_of_one_address_share_no_cookie() -> None:
    """A server's cookie is not shown to its neighbour, by a request or by a redirect."""
    async with (
        HandMadeSite() as one,
        HandMadeSite() as other,
        Fetcher(cookies=True, allow_nets=("127.0.0.1",)) as fetcher,
    ):
        _site(one, "a=1; Path=/")
        _site(other, "b=2; Path=/")
        one.add_page("/away", location=other.url("/page"), status=302)
        for url in (one.url("/set"), other.url("/page"), one.url("/away"), other.url("/set"), one.url("/page")):
            await fetcher.get(url)

    assert [asked.header("Cookie") for asked in one.requests] == [None, "a=1", "a=1"]
    assert [asked.header("Cookie") for asked in other.requests] == [None, None, None]


@pytest.mark.parametrize("domain", ["localhost", ".localhost", "b.localhost"])
async def test_a_domain_gives_a_cookie_to_nobody_else(domain: str) -> None:
    """No Domain, not even a whole public suffix, makes other hosts see what one has set."""
    async with HandMadeSite() as site, Fetcher(cookies=True) as fetcher:
        _site(site, f"a=1; Path=/; Domain={domain}")
        await fetcher.get(f"http://a.localhost:{site.port}/set")
        for host in ("b.localhost", "localhost", "x.a.localhost"):
            await fetcher.get(f"http://{host}:{site.port}/page")

    assert [asked.header("Cookie") for asked in site.requests] == [None] * 4


async def test_whoever_set_a_cookie_for_its_domain_gets_it_back() -> None:
    """To the host itself such a cookie is one like any other."""
    async with HandMadeSite() as site, Fetcher(cookies=True) as fetcher:
        _site(site, "a=1; Path=/; Domain=localhost")
        for path in ("/set", "/page"):
            await fetcher.get(f"http://a.localhost:{site.port}{path}")

    assert [asked.header("Cookie") for asked in site.requests] == [None, "a=1"]


def _set(jars: ReceivedCookies, url: str, cookie: str) -> None:
    headers = ((b"Content-Type", b"text/html"), (b"set-cookie", cookie.encode()), (b"Set-Cookie", b"second=2"))
    jars.take(Response(request=Request(url=parse(url)), status=200, headers=headers))


async def test_a_scheme_is_another_origin() -> None:
    """A cookie of https is not sent in clear on the same port, marked Secure or not."""
    jars = ReceivedCookies()
    _set(jars, "https://h:8443/", "a=1")

    assert jars.cookies_for(parse("https://h:8443/")) == {"a": "1", "second": "2"}
    assert jars.cookies_for(parse("http://h:8443/")) == {}


async def test_cookies_are_kept_for_a_bounded_number_of_origins() -> None:
    """A stream over endless hosts does not fill the memory: the first to come is forgotten first."""
    jars = ReceivedCookies()
    for number in range(ORIGINS_REMEMBERED + 1):
        _set(jars, f"http://h{number}/", "a=1")

    assert jars.cookies_for(parse("http://h0/")) == {}
    assert jars.cookies_for(parse("http://h1/"))
    assert jars.cookies_for(parse(f"http://h{ORIGINS_REMEMBERED}/"))
