"""Responses of `http://h/a`, and the pages that a `PageReader` makes of them."""

from msgspec.structs import replace

from crawler.core.config import ScopeConfig
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.visits import Page
from crawler.parse.decoding import job_of
from crawler.parse.follow import follow
from crawler.parse.page_reader import PageReader, Task
from support.ways import a_request

HTML = b"<title> A  page </title><a href=/b>b</a><a href=/c rel=nofollow>c</a><img src=/i.png><a href='#top'>top</a>"
CRAWL = Task(max_decoded=10**6, agent="crawler", follow=follow(ScopeConfig(), obey=True))


def answer(body: bytes = HTML, *, status: int = 200, content_type: str = "text/html", **headers: str) -> Response:
    """Return a response of `http://h/a` with this body."""
    names = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = tuple((name.encode(), value.encode()) for name, value in names.items())
    return Response(request=a_request("http://h/a", depth=3), status=status, headers=lines, body=body)


def read(response: Response, task: Task = CRAWL) -> Page:
    """Return the page, without the time that it took."""
    return replace(PageReader(task).read(job_of(response)), seconds=0.0)


def found(page: Page) -> dict[str, Reason | None]:
    """Return the finds of a page by their path, with the refusal of each."""
    return {find.url.target: find.refusal for find in page.finds}
