"""downloader.client_options: the options of a Fetcher are checked when they are given."""

from pathlib import Path
from typing import Any

import pytest

from crawler.core.errors import UsageError
from crawler.downloader.client import Fetcher
from crawler.downloader.client_options import FetcherConfig, Options, fetcher_config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurency": 3}, "Fetcher: there is no option 'concurency'; did you mean 'concurrency'?"),
        ({"concurrency": 0}, "concurrency: expected a whole number, 1 or more, got 0"),
        ({"concurrency": "10"}, "concurrency: expected a number, got '10'"),
        ({"concurrency": True}, "concurrency: expected a whole number"),
        ({"auth": ("a", "b"), "bearer": "t"}, "auth and bearer: give one of them, not both"),
        ({"headers": {"Content-Length": "3"}}, "headers: content-length: set by the client itself"),
        ({"headers": [("Host", "a"), ("host", "b")]}, "headers: a request has one Host"),
        ({"cookies": {"a": "b; c=d"}}, "cookies: 'a' holds a semicolon"),
        ({"cookies": {"a": "x\n"}}, "cookies: 'a' holds"),
        ({"base_url": "http://h/api"}, "base_url: expected a URL that ends with a slash"),
        ({"base_url": "http://me:pw@h/"}, "base_url: a password does not belong in it"),
        ({"auth": "me:pw"}, "auth: expected (name, password), a DigestAuth, or a function"),
        ({"bearer": 3}, "bearer: expected text of one line"),
        ({"insecure_hosts": "h"}, "insecure_hosts: expected a list of texts"),
        ({"allow_nets": ["10.0.0.0/99"]}, "allow_nets"),
        ({"headers": "a: b"}, "headers: expected a mapping of texts"),
        ({"headers": {"a b": "c"}}, "headers: expected 'Name: value'"),
        ({"cookies": 3}, "cookies: expected a mapping of texts"),
        ({"retries": 1.5}, "retries: expected a whole number, 0 or more"),
        ({"follow_redirects": "no"}, "follow_redirects: expected true or false"),
        ({"timeout": float("nan")}, "timeout: expected seconds"),
        ({"max_body": "16M"}, "max_body: expected a number"),
        ({"proxy": b"http://p"}, "proxy: expected text of one line"),
        ({"proxy": "ftp://p"}, "proxy: it has the scheme of no proxy"),
        ({"trust_env": "yes"}, "trust_env: expected true or false"),
        ({"unix_socket": 3}, "unix_socket: expected text of one line"),
        ({"unix_socket": "/s", "proxy": "http://p"}, "unix_socket and proxy: give one of them, not both"),
        ({"unix_socket": "/s", "trust_env": True}, "unix_socket and trust_env: give one of them, not both"),
        ({"session": object(), "trust_env": True}, "trust_env: a session has its own"),
        ({"session": object(), "unix_socket": "/s"}, "unix_socket: a session has its own"),
        ({"user_agent": ""}, "user_agent: expected text of one line"),
    ],
)
def test_what_an_option_does_not_take_is_refused_at_once(options: Any, message: str) -> None:
    """The keyword is named, and what it expects."""
    with pytest.raises(UsageError) as raised:
        Fetcher(**options)

    assert message in str(raised.value)


def test_a_secret_is_not_in_the_message() -> None:
    """A token of the wrong kind is a secret all the same."""
    with pytest.raises(UsageError) as raised:
        Fetcher(bearer="se\ncret")

    assert "cret" not in str(raised.value)


def test_none_is_not_given() -> None:
    """An option that is None has its default."""
    assert fetcher_config(dict.fromkeys(Options.__annotations__)) == FetcherConfig()  # type: ignore[arg-type]


def test_options_come_in_the_shapes_that_scripts_have(tmp_path: Path) -> None:
    """Mappings and pairs, lists and tuples, paths and texts."""
    cookies = tmp_path / "cookies.txt"
    config = fetcher_config(
        {"headers": [("A", "1"), ("A", "2")], "auth": ("me", "p:w"), "cookies_file": cookies, "insecure_hosts": {"h"}}
    )

    assert config.fetch.headers == (("A", "1"), ("A", "2"))
    assert config.client.credentials == "Basic bWU6cDp3"
    assert config.fetch.cookies_file == str(cookies)
    assert config.fetch.insecure_hosts == ("h",)
