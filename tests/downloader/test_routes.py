"""downloader.routes: the route of each URL, of options and of the environment."""

from typing import Any

import pytest

from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.core.urls import parse
from crawler.downloader.proxy import Proxy
from crawler.downloader.routes import routes_from
from support.fetching import OK, answering, ask_url, open_fetcher
from support.rawserver import raw_server

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method")


@pytest.fixture(autouse=True)
def _no_proxies_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test's variables be the only ones."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def _proxy(url: str, **config: Any) -> str | None:
    """Return the proxy of a URL, as `kind://host:port`."""
    route = routes_from(FetchConfig(**{"trust_env": True, **config})).to(parse(url))
    assert route is None or isinstance(route, Proxy)
    return None if route is None else f"{route.kind.value}://{route.url.host_port}"


@pytest.mark.parametrize(
    ("variables", "http", "https"),
    [
        ({}, None, None),
        ({"http_proxy": "http://p:8080"}, "http://p:8080", None),
        ({"HTTP_PROXY": "http://p:8080"}, "http://p:8080", None),
        ({"HTTP_PROXY": "http://upper:8080", "http_proxy": "http://lower:8080"}, "http://lower:8080", None),
        ({"HTTP_PROXY": "http://upper:8080", "http_proxy": ""}, None, None),
        ({"HTTP_PROXY": "http://p:8080", "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": "http://p:8080", "REQUEST_METHOD": "GET"}, "http://p:8080", None),
        ({"HTTPS_PROXY": "http://p:8080", "REQUEST_METHOD": "GET"}, None, "http://p:8080"),
        ({"https_proxy": "https://p"}, None, "https://p:443"),
        ({"all_proxy": "socks5h://p"}, "socks5h://p:1080", "socks5h://p:1080"),
        ({"ALL_PROXY": "socks5://p", "https_proxy": "http://q"}, "socks5://p:1080", "http://q:80"),
        ({"all_proxy": "socks5://p", "http_proxy": ""}, "socks5://p:1080", "socks5://p:1080"),
        ({"http_proxy": "p:3128"}, "http://p:3128", None),
        ({"all_proxy": "http://p:8080", "no_proxy": "*"}, None, None),
        ({"all_proxy": "http://p:8080", "NO_PROXY": "public.example"}, None, None),
        ({"all_proxy": "http://p:8080", "no_proxy": "public.example:80"}, None, "http://p:8080"),
    ],
)
def test_the_environment_names_proxies(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], http: str | None, https: str | None
) -> None:
    """Lower case is preferred, all_proxy fills in, and a header of CGI (httpoxy) names none."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert (_proxy("http://public.example/"), _proxy("https://public.example/")) == (http, https)
    assert _proxy("http://public.example/", trust_env=False) is None


def test_loopback_is_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only no_proxy keeps this machine's own servers from the proxy, as with curl."""
    monkeypatch.setenv("http_proxy", "http://p:8080")

    assert {_proxy(f"http://{host}/") for host in ("localhost", "127.0.0.1", "[::1]")} == {"http://p:8080"}


def test_the_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--proxy` nothing of the environment counts."""
    monkeypatch.setenv("http_proxy", "http://p:8080")
    monkeypatch.setenv("no_proxy", "*")

    assert _proxy("http://public.example/", proxy="http://q:8081") == "http://q:8081"


def test_a_bad_variable_is_named_and_repeats_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable that a user has to mend, if a request would use it."""
    monkeypatch.setenv("all_proxy", "gopher://me:hunter2@p:8080")

    with pytest.raises(UsageError, match="all_proxy: it has the scheme of no proxy: give an http://") as raised:
        routes_from(FetchConfig(trust_env=True))
    assert "hunter2" not in str(raised.value)

    monkeypatch.setenv("http_proxy", "http://p:8080")
    monkeypatch.setenv("https_proxy", "http://p:8080")
    routes_from(FetchConfig(trust_env=True))


@pytest.mark.parametrize("other", [{"proxy": "http://p"}, {"trust_env": True}])
def test_a_unix_socket_stands_alone(other: dict[str, Any]) -> None:
    """Beside it a proxy would be dropped without a word."""
    (name,) = other
    with pytest.raises(UsageError, match=f"--unix-socket and --{name.replace('_', '-')}: give one of them"):
        routes_from(FetchConfig(**other), "/run/app.sock")


async def test_each_url_goes_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fetcher asks some URLs of a proxy, which gets their whole text, and others of their servers."""
    asked: dict[str, list[bytes]] = {"proxy": [], "server": []}
    async with (
        raw_server(answering(OK, heads=asked["proxy"])) as (host, proxy),
        raw_server(answering(OK, heads=asked["server"])) as (_, port),
    ):
        monkeypatch.setenv("http_proxy", f"http://me:secret@{host}:{proxy}")
        monkeypatch.setenv("no_proxy", "127.0.0.0/8")
        async with open_fetcher(trust_env=True) as fetcher:
            straight = await fetcher.fetch(ask_url(f"http://127.0.0.1:{port}/a"))
            led = await fetcher.fetch(ask_url("http://public.example/a"))

    assert [head.partition(b"\r\n")[0] for head in asked["server"]] == [b"GET /a HTTP/1.1"]
    assert [head.partition(b"\r\n")[0] for head in asked["proxy"]] == [b"GET http://public.example/a HTTP/1.1"]
    assert b"Proxy-Authorization" not in asked["server"][0]
    assert (straight.peer, led.peer) == (f"127.0.0.1:{port}", None)
