"""downloader.told_cookies: cookies without a domain, told to a crawl."""

import pytest

from crawler.core.discovery import Way
from crawler.core.errors import UsageError
from crawler.core.messages import Request, Response
from crawler.core.protocols import Room
from crawler.core.urls import Url, parse
from crawler.downloader.told_cookies import ToldCookies


class Recording:
    """A fetcher with these cookies in its jar; it keeps what it was asked."""

    def __init__(self, jar: str) -> None:
        self.jar = jar
        self.requests: list[Request] = []

    def cookies_for(self, _url: Url) -> str:
        """Return the cookies of the jar."""
        return self.jar

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return an empty answer."""
        self.requests.append(request)
        return Response(request=request, status=200)


@pytest.mark.parametrize(
    ("jar", "named", "foreign", "sent"),
    [
        ("", True, False, (("Cookie", "a=1; b=2"),)),
        ("a=9; c=3", True, False, (("Cookie", "b=2"),)),
        ("a=9; b=8", True, False, ()),
        ("", False, False, ()),
        ("", True, True, ()),
    ],
    ids=["alone", "the jar has one", "the jar has both", "another host", "after a redirect from elsewhere"],
)
async def test_told_cookies_go_where_headers_go(
    jar: str, named: bool, foreign: bool, sent: tuple[tuple[str, str], ...]
) -> None:
    """They give way to the jar's, and the response is that of the request as it came."""
    request, inner = Request(url=parse("http://h/"), named=named, way=Way(foreign=foreign)), Recording(jar)

    response = await ToldCookies(inner, {"a": "1", "b": "2"}).fetch(request)

    assert inner.requests[0].headers == sent
    assert response.request is request


def test_a_cookie_cannot_start_a_new_line() -> None:
    """It is refused before the crawl begins, and its value is not shown."""
    with pytest.raises(UsageError, match="cookies: 'a' holds a control character") as raised:
        ToldCookies(Recording(""), {"a": "s3cret\r\nX: y"})

    assert "s3cret" not in str(raised.value)
