"""frontier.lost_seeds: which seeds brought nothing."""

from collections.abc import Callable
from pathlib import Path

from crawler.core.frontier_reports import LostSeeds
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.testing import FakeFetcher, refused
from support.crawls import crawl
from support.frontiers import audited

HOST = "http://h:8000"


def _redirect(target: str) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        return Response(request=request, status=302, headers=((b"Location", target.encode()),))

    return answer


async def test_a_seed_without_a_page_is_lost(tmp_path: Path) -> None:
    """Failed, answered with an error, not read, or leading to such a URL; a redirect to a page is no loss."""
    fetcher = FakeFetcher(
        {
            f"{HOST}/good": (200, b"page"),
            f"{HOST}/gone": (404, b"gone"),
            f"{HOST}/refused": refused(),
            f"{HOST}/packed": lambda request: Response(
                request=request, status=200, headers=((b"Content-Encoding", b"gzip"),), body=b"\x1f\x8b\x08broken"
            ),
            f"{HOST}/to-good": _redirect("/good"),
            f"{HOST}/to-gone": _redirect("/nowhere"),
            f"{HOST}/nowhere": (404, b"gone"),
        }
    )
    lines = [f"{HOST}/{name}" for name in ("good", "gone", "refused", "packed", "to-good", "to-gone")]

    await crawl(tmp_path / "run", lines, fetcher, retries=0)

    with audited(tmp_path / "run" / "frontier.sqlite") as audit:
        lost = audit.reports.lost_seeds()
    assert lost == (
        LostSeeds(reason=Reason.HTTP_STATUS, status=404, seeds=2, example=f"{HOST}/gone"),
        LostSeeds(reason=Reason.CONNECT_REFUSED, status=None, seeds=1, example=f"{HOST}/refused"),
        LostSeeds(reason=Reason.DECODE_ERROR, status=200, seeds=1, example=f"{HOST}/packed"),
    )


async def test_a_seed_before_too_many_redirects_is_lost(tmp_path: Path) -> None:
    """The eleventh in a row is not followed, so nothing of the seed was had; nor of one that is answered 304."""
    hops: dict[str, Callable[[Request], Response] | tuple[int, bytes]] = {
        f"{HOST}/{n}": _redirect(f"/{n + 1}") for n in range(20)
    }

    await crawl(tmp_path / "run", [f"{HOST}/0", f"{HOST}/kept"], FakeFetcher({**hops, f"{HOST}/kept": (304, b"")}))

    with audited(tmp_path / "run" / "frontier.sqlite") as audit:
        lost = {(kind.reason, kind.status, kind.seeds) for kind in audit.reports.lost_seeds()}
    assert lost == {(Reason.HOP_LIMIT, None, 1), (Reason.HTTP_STATUS, 304, 1)}


async def test_what_only_a_link_leads_to_is_no_seed(tmp_path: Path) -> None:
    """A broken link is no lost seed."""
    page = (200, b"<a href=/gone>x</a>")
    fetcher = FakeFetcher({f"{HOST}/": page}, (404, b"gone"))

    await crawl(tmp_path / "run", [f"{HOST}/"], fetcher, command="crawl")

    with audited(tmp_path / "run" / "frontier.sqlite") as audit:
        assert audit.reports.lost_seeds() == ()
