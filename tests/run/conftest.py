"""Fixtures of the audits: a finished run, and a copy of it to be tampered with."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.core.messages import Request, Response, Timing
from crawler.report.summary import MOST_HOSTS, as_json, summarize
from crawler.run import recount
from crawler.run.folder import RunFolder
from crawler.testing import FakeFetcher, refused
from support.audits import HOST, LINES
from support.crawls import crawl
from support.frontiers import audited


@pytest.fixture(scope="package")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six pages, one of them a 404, one failed, one tried twice; three lines of its list were rejected."""
    folder = tmp_path_factory.mktemp("original") / "run"
    statuses = iter([503, 200])

    def later(request: Request) -> Response:
        return Response(request=request, status=next(statuses), body=b"late", timing=Timing(total=0.001))

    fetcher = FakeFetcher({f"{HOST}/1": (404, b"gone"), f"{HOST}/2": refused(), f"{HOST}/3": later}, (200, b"body"))
    ending = asyncio.run(crawl(folder, LINES, fetcher, retries=1))
    with audited(folder / "frontier.sqlite") as audit:
        hosts, lost = audit.reports.hosts("crawler", MOST_HOSTS), audit.reports.lost_seeds()
    summary = summarize(ending.totals, peak_rss_mb=1.0, stopped_by=None, hosts=hosts, lost_seeds=lost)
    RunFolder(folder).write_summary(as_json(summary))
    return folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy of it to be tampered with."""
    return Path(shutil.copytree(original, tmp_path / "run"))


@pytest.fixture(autouse=True, scope="package")
def _few_at_once() -> Iterator[None]:
    """Two lines are compared at once, or no file here would be large enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recount, "_AT_ONCE", 2)
        yield
