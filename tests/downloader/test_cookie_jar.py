"""downloader.cookie_jar: one jar for several fetchers, read, saved and loaded."""

from pathlib import Path

import pytest

from crawler.core.errors import UsageError
from crawler.core.urls import parse
from crawler.downloader.client import Fetcher
from crawler.downloader.cookie_jar import CookieJar
from crawler.http.cookie_store import MOST_DOMAINS, MOST_OF_DOMAIN
from crawler.http.cookies import Cookie
from support.path_server import PathServer, redirect_to, response, url_at
from support.rawserver import raw_server
from support.siteserver import HandMadeSite

LATER = 4_102_444_800.0


def test_a_jar_is_saved_and_loaded(tmp_path: Path) -> None:
    """All that a cookie is comes back, for its owner's eyes alone."""
    cookies = [
        Cookie(name="a", value="1", domain="h.example"),
        Cookie(name="b", value='"x y"', domain="h.example", path="/p", host_only=False, secure=True, expires=LATER),
        Cookie(name="", value="alone", domain="127.0.0.1", http_only=True),
    ]
    file = tmp_path / "cookies.txt"
    CookieJar(cookies).save(file)

    assert sorted(CookieJar.load(file), key=repr) == sorted(cookies, key=repr)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["cookies.txt"]


def test_what_has_expired_is_not_given() -> None:
    """Neither by the iterator nor to a file."""
    jar = CookieJar([Cookie(name="a", value="1", domain="h.example", expires=1.0)])

    assert list(jar) == []


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    """The message names the file and the line, and holds no value."""
    (tmp_path / "c").write_text("secret\n")
    with pytest.raises(UsageError, match="line 1: it has 1 field") as raised:
        CookieJar.load(tmp_path / "c")
    assert "secret" not in str(raised.value)
    with pytest.raises(UsageError, match="no such file"):
        CookieJar.load(tmp_path / "missing")


def test_no_value_is_in_a_repr() -> None:
    """A cookie may be the key to a session."""
    cookie = Cookie(name="sid", value="hunter2", domain="h.example")

    assert "hunter2" not in repr(cookie) + repr(CookieJar([cookie]))


async def test_fetchers_share_a_jar() -> None:
    """The second sends the cookie that the first was given; `Fetcher.cookies` is the jar."""
    site = PathServer(login=response(b"", "Set-Cookie: s=dGVzdA==; Path=/"))
    jar = CookieJar()
    async with raw_server(site) as where:
        async with Fetcher(cookies=jar) as one:
            await one.get(url_at(where, "/login"))
            assert one.cookies is jar
        async with Fetcher(cookies=jar) as other:
            await other.get(url_at(where, "/page"))

    assert [cookie.value for cookie in jar] == ["dGVzdA=="]
    assert "Cookie: s=dGVzdA==\r\n" in site.requests[1]


async def test_a_cookie_is_deleted_as_servers_delete_it() -> None:
    """With a date at the epoch, and in a redirect too."""
    gone = redirect_to("/page", "Set-Cookie: s=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    site = PathServer(login=response(b"", "Set-Cookie: s=1; Path=/"), logout=gone)
    async with raw_server(site) as where, Fetcher(cookies=True) as fetcher:
        for path in ("/login", "/page", "/logout"):
            await fetcher.get(url_at(where, path))

    assert ["Cookie" in sent for sent in site.requests] == [False, True, True, False]


async def test_a_page_may_set_a_cookie_and_redirect_to_itself() -> None:
    """Such a redirect is no loop: the next request is another one; nor is the way over a log-in and back."""
    site = PathServer(
        a=[redirect_to("/a", "Set-Cookie: seen=1; Path=/"), response(b"in")],
        b=[redirect_to("/login"), response(b"in")],
        login=redirect_to("/b", "Set-Cookie: user=me; Path=/"),
    )
    async with raw_server(site) as where, Fetcher(cookies=True) as fetcher:
        assert (await fetcher.get(url_at(where, "/a"))).content == b"in"
        assert (await fetcher.get(url_at(where, "/b"))).content == b"in"


async def test_a_cookie_of_the_server_is_newer_than_the_one_given() -> None:
    """A mapping is where a session begins; what the server sets then counts."""
    site = PathServer(a=response(b"", "Set-Cookie: s=new; Path=/"))
    async with raw_server(site) as where, Fetcher(cookies={"s": "old", "t": "1"}) as fetcher:
        await fetcher.get(url_at(where, "/a"))
        await fetcher.get(url_at(where, "/a"))

    assert "Cookie: s=old; t=1\r\n" in site.requests[0]
    assert "Cookie: s=new; t=1\r\n" in site.requests[1]


@pytest.mark.parametrize(
    ("domain", "hosts"),
    [("", ["a.localhost"]), ("a.localhost", ["a.localhost", "x.a.localhost"]), ("localhost", [])],
)
async def test_a_domain_is_shared_with_the_hosts_below(domain: str, hosts: list[str]) -> None:
    """The hosts below a domain see its cookie, their neighbours do not."""
    async with HandMadeSite() as site, Fetcher(cookies=True) as fetcher:
        site.add_page("/set", headers=[("Set-Cookie", f"a=1; Path=/; Domain={domain}")])
        site.add_page("/page")
        await fetcher.get(f"http://a.localhost:{site.port}/set")
        seen = []
        for host in ("a.localhost", "b.localhost", "localhost", "x.a.localhost"):
            await fetcher.get(f"http://{host}:{site.port}/page")
            if site.requests[-1].header("Cookie"):
                seen.append(host)

    assert seen == hosts


def test_a_cookie_put_by_hand_is_sent() -> None:
    """`put` is how a script adds one."""
    jar = CookieJar()
    jar.put(Cookie(name="a", value="1", domain="h.example", host_only=False))

    assert jar.header(parse("http://w.h.example/"), 0) == "a=1"
    jar.clear()
    assert len(jar) == 0


async def test_cookies_of_a_request_replace_those_of_the_jar() -> None:
    """All that a request is told is sent; the jar's cookies stand in front."""
    site = PathServer(login=response(b"", "Set-Cookie: s=old; Path=/", "Set-Cookie: t=1; Path=/"))
    async with raw_server(site) as where, Fetcher(cookies=True) as fetcher:
        await fetcher.get(url_at(where, "/login"))
        await fetcher.get(url_at(where, "/a"), cookies={"s": "new"})
        await fetcher.get(url_at(where, "/a"), headers={"Cookie": "a=1"}, cookies={"b": "2"})

    assert "Cookie: t=1; s=new\r\n" in site.requests[1]
    assert "Cookie: s=old; t=1; a=1; b=2\r\n" in site.requests[2]


async def test_after_a_redirect_the_jar_is_newer() -> None:
    """A server may replace the cookie with which it was asked."""
    site = PathServer(a=redirect_to("/b", "Set-Cookie: s=new; Path=/"))
    async with raw_server(site) as where, Fetcher(cookies=True) as fetcher:
        await fetcher.get(url_at(where, "/a"), cookies={"s": "old"})

    assert "Cookie: s=old\r\n" in site.requests[0]


def test_a_cookie_that_a_file_cannot_hold_is_left_out(tmp_path: Path) -> None:
    """A server's tab does not make the file unreadable."""
    jar = CookieJar()
    jar.take(parse("http://h.example/"), [b"a=x\ty", b"b=1", b"c=1; Path=/\tz"], 0)
    jar.save(tmp_path / "c")

    assert [cookie.name for cookie in CookieJar.load(tmp_path / "c")] == ["b"]


def test_no_server_pushes_out_what_the_user_has_put_in() -> None:
    """Neither with many cookies nor with many hosts; nor does a file replace what is newer."""
    jar = CookieJar([Cookie(name="login", value="1", domain="h.example")])
    for number in range(MOST_OF_DOMAIN + 5):
        jar.take(parse("http://h.example/"), [f"n{number}=1".encode()], 0)
    for number in range(MOST_DOMAINS + 5):
        jar.take(parse(f"http://h{number}.example/"), [b"a=1"], 0)
    jar.take(parse("http://h.example/"), [b"login=2"], 0)
    jar.add([Cookie(name="login", value="1", domain="h.example")])

    assert jar.header(parse("http://h.example/"), 0).startswith("login=2; n5=1; ")
    assert len(jar) == MOST_OF_DOMAIN + 1 + MOST_DOMAINS


def test_a_secure_cookie_that_has_expired_stands_in_nobody_s_way() -> None:
    """RFC 6265bis, 5.7: expired cookies are gone."""
    jar = CookieJar()
    jar.take(parse("https://h.example/"), [b"a=1; Secure; Max-Age=10"], 0)
    jar.take(parse("http://h.example/"), [b"a=2"], 20)

    assert jar.header(parse("http://h.example/"), 20) == "a=2"
