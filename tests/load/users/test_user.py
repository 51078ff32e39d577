"""load.users.user: one virtual user."""

import pytest

from crawler.core.urls import parse
from crawler.load.users.user import User

URL = parse("http://127.0.0.1:8000/shop/cart")


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nCookie: id=7; t=x\r\n\r\n"),
        (b"GET / HTTP/1.1\r\ncookie: a=b\r\nX: y\r\n\r\n", b"GET / HTTP/1.1\r\ncookie: a=b; id=7; t=x\r\nX: y\r\n\r\n"),
        (
            b"POST / HTTP/1.1\r\n\r\nCookie: no\r\n\r\n",
            b"POST / HTTP/1.1\r\nCookie: id=7; t=x\r\n\r\nCookie: no\r\n\r\n",
        ),
    ],
)
def test_cookies_go_into_the_head_once(data: bytes, wanted: bytes) -> None:
    """They join a Cookie header that is there, and a body is no head."""
    user = User(0, 1)
    user.take_cookies(URL, [b"id=7; Path=/", b"t=x; Path=/"], 0.0)

    assert user.with_cookies(data, URL, 0.0) == wanted


def test_a_user_without_cookies_sends_the_request_as_it_is() -> None:
    """Not a byte is added; a cookie of another path, or one that has expired, is no cookie of this request."""
    user = User(0, 1)
    user.take_cookies(URL, [b"a=1; Path=/other", b"b=1; Max-Age=5; Path=/"], 0.0)

    assert user.with_cookies(b"GET / HTTP/1.1\r\n\r\n", URL, 9.0) == b"GET / HTTP/1.1\r\n\r\n"


def test_each_user_has_its_own_chance() -> None:
    """The same for the same number and seed, another for any other."""
    draws = {(number, seed): User(number, seed).thinks(0, 10**9) for number in range(3) for seed in range(3)}

    assert len(set(draws.values())) == 9
    assert User(2, 1).thinks(0, 10**9) == draws[2, 1]
    assert User(0, 0).thinks(5, 5) == 5
