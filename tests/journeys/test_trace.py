"""`--trace FILE`: what ran when, of a real run, from the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.site.plan import SitePlan
from crawler.timeline.recorder import Trace
from crawler.timeline.trace_events import About, trace_json
from support.crawls import records
from support.faults import RunningSite, site_process
from support.traces import faults


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A built-in site in another process."""
    with site_process(SitePlan.plain(pages=60), tmp_path_factory.mktemp("site") / "requests.jsonl") as running:
        yield running


def crawler(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command, to its end; tests are modules that its workers can import."""
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent.parent}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "crawler", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=environment, timeout=60)


def read(path: Path) -> dict[str, Any]:
    """A trace, which is valid."""
    trace: dict[str, Any] = json.loads(path.read_bytes())
    assert list(faults(trace)) == []
    return trace


def turns(trace: dict[str, Any]) -> list[dict[str, Any]]:
    """The turns of URLs in it."""
    return [event["args"] for event in trace["traceEvents"] if event.get("cat") == "turn" and event["name"] == "fetch"]


def test_the_trace_agrees_with_the_output(running: RunningSite, tmp_path: Path) -> None:
    """Every line of `pages.jsonl` is a turn with the same reason and the same times; failed ones and retries too."""
    refused = "http://127.0.0.1:2/nobody-listens"

    done = crawler(
        "crawl", f"{running.site.base_urls[0]}/", refused, "-o", "out", "--trace", "out/trace.json", "--retries", "0",
        "--no-robots", "--select", "title=title::text", cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 1, done.stderr
    trace = read(tmp_path / "out" / "trace.json")
    told = {turn["url"]: (turn["outcome"], turn["reason"], turn["status"], turn["timing"]) for turn in turns(trace)}
    lines = records(tmp_path / "out")
    assert told == {line["url"]: (line["outcome"], line["reason"], line["status"], line["timing"]) for line in lines}
    assert told[refused][:2] == ("failed", "connect_refused")
    kinds = {event.get("cat") for event in trace["traceEvents"]}
    assert {"turn", "phase", "read", "storage", "step", "arrow"} <= kinds


def test_a_page_that_kills_its_worker_is_seen(running: RunningSite, tmp_path: Path) -> None:
    """It has its reason, and the reading that was left of it stands under the process that did it."""
    (tmp_path / "killer.py").write_text("import os\ndef act(page):\n    os.kill(os.getpid(), 9)\n", "utf-8")

    done = crawler(
        "fetch", f"{running.site.base_urls[0]}/", "-o", "out", "--trace", "t.json", "--extract", "killer:act",
        "--workers", "1", cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 1, done.stderr
    trace = read(tmp_path / "t.json")
    (turn,) = turns(trace)
    (reading,) = [event for event in trace["traceEvents"] if event.get("cat") == "read"]
    assert turn["reason"] == reading["args"]["reason"] == "parse_crash"
    assert reading["pid"] != trace["otherData"]["pid"]


def test_a_resumed_run_is_traced_from_there(running: RunningSite, tmp_path: Path) -> None:
    """Each life has a trace of its own, which may take the place of the one before."""
    first = crawler("crawl", f"{running.site.base_urls[0]}/", "-o", "out", "--max-pages", "10", "--trace", "t.json",
                    cwd=tmp_path)  # fmt: skip
    assert first.returncode == 0, first.stderr
    before = {turn["url"] for turn in turns(read(tmp_path / "t.json"))}

    second = crawler("resume", "out", "--max-pages", "25", "--trace", "t.json", cwd=tmp_path)

    assert second.returncode == 0, second.stderr
    after = {turn["url"] for turn in turns(read(tmp_path / "t.json"))}
    assert before | after == {line["url"] for line in records(tmp_path / "out")}
    assert (len(before), len(after), before & after) == (10, 15, set())
    assert "trace" not in (tmp_path / "out" / "config.toml").read_text("utf-8")


def test_a_run_that_is_interrupted_leaves_its_trace(running: RunningSite, tmp_path: Path) -> None:
    """Ctrl-C ends in order."""
    command = [sys.executable, "-m", "crawler", "crawl", f"{running.site.base_urls[0]}/", "-o", "out"]
    with subprocess.Popen(
        [*command, "--rate", "20", "--trace", "t.json"], cwd=tmp_path, stderr=subprocess.DEVNULL
    ) as run:
        pages = tmp_path / "out" / "pages.jsonl"
        while not (pages.exists() and pages.stat().st_size):
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)

    assert run.returncode == 130
    assert {turn["url"] for turn in turns(read(tmp_path / "t.json"))} == {
        line["url"] for line in records(tmp_path / "out")
    }


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing/t.json", "there is no folder missing"),
        ("notes.txt", "is no trace"),
        ("folder", "is no trace"),
        ("out/pages.jsonl", "has to end with .json"),
        ("out/summary.json", "has to end with .json"),
        ("/proc/t.json", "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_begins(name: str, says: str, tmp_path: Path) -> None:
    """One line, exit 2, and no folder of a run."""
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    (tmp_path / "folder").mkdir()

    done = crawler("fetch", "http://127.0.0.1:2/", "-o", "out", "--trace", name, cwd=tmp_path)

    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"


def test_a_trace_is_drawn(running: RunningSite, tmp_path: Path) -> None:
    """`crawler timeline` makes a page beside the trace, and with --svg a picture alone."""
    crawler("fetch", f"{running.site.base_urls[0]}/", "-o", "out", "--workers", "0", "--trace", "t.json", cwd=tmp_path)

    page = crawler("timeline", "t.json", cwd=tmp_path)
    picture = crawler("timeline", "t.json", "--svg", "t.svg", "--to", "0.5", cwd=tmp_path)

    assert (page.returncode, page.stdout) == (0, "t.html\n"), page.stderr
    assert (picture.returncode, picture.stdout) == (0, "t.svg\n"), picture.stderr
    assert "is read on the loop" in (tmp_path / "t.html").read_text("utf-8")
    assert (tmp_path / "t.svg").read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.json"], "No such file"),
        (["folder"], "is no file"),
        (["notes.json"], "expected a trace"),
        (["t.json", "-o", "t.json"], "is the trace itself"),
        (["t.json", "-o", "missing/t.html"], "a folder that is there"),
        (["t.json", "-o", "notes.json"], "exists, and only a file that ends with"),
        (["t.json", "--svg", "page.html"], "exists, and only a file that ends with"),
        (["t.json", "-o", "/dev/null"], "exists, and only a file that ends with"),
        (["t.json", "-o", "a.svg", "--svg", "a.svg"], "-o and --svg name the same file"),
        (["t.json", "--from", "9999"], "the run lasted"),
        (["t.json", "--from", "1", "--to", "0.5"], "is not after"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: list[str], says: str, tmp_path: Path) -> None:
    """One line, exit 2, and nothing is written."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.json").write_text("{}", "utf-8")
    (tmp_path / "page.html").touch()
    about = About(command="fetch", pid=7, started="", slots=2)
    (tmp_path / "t.json").write_bytes(b"".join(trace_json(Trace(0.0), about)))
    before = sorted(tmp_path.iterdir())

    done = crawler("timeline", *arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before
