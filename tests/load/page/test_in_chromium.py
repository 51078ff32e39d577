"""load.page in a browser: nothing is requested, nothing is complained about, and nothing is wider than the window."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crawler.load.page.capacity_page import capacity_page
from crawler.load.page.compare_page import compare_page
from crawler.load.page.load_page import load_page
from support.load_runs import believable
from support.load_views import capacity_view, compare_view

PAGES = {
    "load": lambda: load_page(believable(seconds=40, rate=300), [("p99<50ms", True, "38 ms")], {"program": "x"}),
    "capacity": lambda: capacity_page(capacity_view()),
    "compare": lambda: compare_page(compare_view()),
}
# A page of the test's own around the report, which has no script: it measures what the report's frame holds.
AROUND = """<!doctype html><style>iframe{{border:0;width:{width}px;height:900px}}</style>
<iframe src="/page"></iframe><pre></pre><script>
onload = () => {{
  const frame = document.querySelector("iframe").contentWindow, page = frame.document, root = page.documentElement
  const texts = [...page.querySelectorAll(".chart text, .interval-row text")].filter(one => one.getClientRects().length)
  const ends = texts.map(one => one.getBoundingClientRect())
  document.querySelector("pre").textContent = JSON.stringify({{
    scroll: root.scrollWidth, client: root.clientWidth,
    resources: frame.performance.getEntriesByType("resource").length,
    left: Math.min(...ends.map(one => one.left)), right: Math.max(...ends.map(one => one.right)),
    ground: frame.getComputedStyle(page.body).backgroundColor, charts: page.querySelectorAll("svg").length,
  }})
}}</script>"""


class Site:
    """A page and the one around it, and the paths that were asked for."""

    def __init__(self, page: str) -> None:
        self.asked: list[str] = []
        self.width = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                text = page if self.path == "/page" else AROUND.format(width=site.width)
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def measured(self, width: int, scheme: int, profile: Path) -> tuple[dict[str, Any], str]:
        """Open the page in a frame of this width, and return its measures and all that the browser said."""
        self.asked.clear()
        self.width = width
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += [f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1500,1000", "--dump-dom"]
        command += [
            "--enable-logging=stderr",
            "--virtual-time-budget=3000",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{self.server.server_port}/around"],
            check=True,
            capture_output=True,
            text=True,
            timeout=90,
        )
        found = re.search(r"<pre>(\{.*?\})</pre>", done.stdout)
        assert found, done.stdout[:500] + done.stderr[-500:]
        said = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
        return json.loads(unescape(found[1])), said


@pytest.fixture(params=PAGES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Each of the pages, served."""
    served = Site(PAGES[request.param]())
    thread = threading.Thread(target=served.server.serve_forever)
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


@pytest.mark.debian("chromium")
def test_a_browser_shows_the_page_without_a_request_or_a_complaint(site: Site, tmp_path: Path) -> None:
    """On a wide and a narrow window, light and dark, no text of a chart and no table reaches beyond the page."""
    grounds = set()

    for width, scheme in ((1400, 1), (400, 0)):
        seen, said = site.measured(width, scheme, tmp_path / str(width))

        assert said == ""
        assert [path for path in site.asked if path != "/favicon.ico"] == [
            "/around",
            "/page",
        ]  # the icon of the frame's own page
        assert seen["resources"] == 0
        assert width - 20 < seen["client"] <= width  # less a scroll bar
        assert seen["scroll"] <= seen["client"]
        assert seen["left"] >= 0
        assert seen["right"] <= seen["client"]
        assert seen["charts"] > 2
        grounds.add(seen["ground"])
    assert grounds == {"rgb(246, 247, 248)", "rgb(14, 17, 22)"}
