"""`crawler load` as a user runs it: what it prints, how it ends, and whom it refuses to test."""

import asyncio
import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from crawler.site.plan import SitePlan
from support.faults import site_process
from support.threaded_server import threaded_server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a built-in site's front page."""
    with site_process(SitePlan.plain(pages=5), tmp_path_factory.mktemp("site") / "requests.jsonl") as running:
        yield f"{running.site.base_urls[0]}/"


def load(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "crawler", "load", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


def test_the_report_begins_with_its_verdict_and_fits_a_terminal(site: str) -> None:
    """Eighty columns, the order of the page in the docs, and sums that add up."""
    done = load(site, "-n", 600, "-c", 4)

    titles = [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert done.returncode == 0, done.stderr
    order = "Verdict Next Target Load Rate Latency, Outcome Connections Steps, Client"
    assert titles == order.split()
    assert "600 scheduled = 600 ok + 0 failed + 0 timed out + 0 shed + 0 in flight" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "p99 and beyond: 1,000 ok requests are needed, 600 are here" in " ".join(done.stdout.split())


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_together_send_what_was_asked_for(processes: int, tmp_path: Path) -> None:
    """Their merged account is the server's own, to the request."""
    with site_process(SitePlan.plain(pages=5), tmp_path / "log") as running:
        url = f"{running.site.base_urls[0]}/"
        done = load(url, "-n", 501, "-c", 5, "-t", processes, "--rate", 2000, "--poisson", "--json")

    report = json.loads(done.stdout)
    received = len((tmp_path / "log").read_text("utf-8").splitlines())
    assert done.returncode == 0, done.stderr
    assert report["outcomes"]["scheduled"] == 501
    assert report["outcomes"]["ok"] == received == report["response_ms"]["count"]
    assert report["conservation_law_holds"]
    assert len(report["client"]["processes"]) == processes


def test_the_letters_of_wrk_mean_the_same(site: str) -> None:
    """-t, -c, -d and -H as its users type them."""
    done = load("-t2", "-c4", "-d1s", "-H", "X-A: b", "--json", site)

    asked = json.loads(done.stdout)["asked"]
    assert (asked["processes"], asked["connections"], asked["duration"]) == (2, 4, 1.0)


@pytest.mark.parametrize(
    ("gates", "code"),
    [(["errors<0.1%", "rate>1"], 0), (["errors<0.1%", "p50<1us"], 8), (["p99.99<10s"], 8)],
)
def test_a_missed_gate_is_exit_code_8(gates: list[str], code: int, site: str) -> None:
    """Kept gates are 0, a missed one is 8, and so is one of which nothing is known."""
    options = [option for gate in gates for option in ("--threshold", gate)]

    done = load(site, "--rate", 100, "-d", 1.5, "-c", 4, *options)

    if "CLIENT-BOUND" in done.stdout:  # another program took this machine's cores: then no lower limit may pass
        code = 8
    assert done.returncode == code, done.stdout
    assert done.stdout.count("\nGate") == len(gates)


def test_the_gates_are_in_the_json(site: str) -> None:
    """Each in its turn, with its figure; the exit code follows from them."""
    done = load(site, "-n", 20, "-c", 2, "--json", "--threshold", "errors<1%", "--threshold", "p50<1us")

    gates = json.loads(done.stdout)["gates"]
    assert done.returncode == 8, done.stderr
    assert [gate["threshold"] for gate in gates] == ["errors<1%", "p50<1us"]
    assert not gates[1]["is_kept"]
    shown = " ".join(done.stderr.split())
    assert all(gate["figure"] in shown for gate in gates)


async def half_failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every second request of a connection with an error."""
    for status in cycle((b"200 OK", b"500 Oh")):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("gates", "code", "verdict"),
    [
        ([], 10, "FAILING"),
        (["p50<10s"], 10, "FAILING"),
        (["errors<10%"], 8, "FAILING"),
        (["errors<60%"], 0, "TOO-SHORT"),
    ],
)
async def test_a_server_that_fails_is_exit_code_10(gates: list[str], code: int, verdict: str) -> None:
    """Unless a threshold names the errors: then it decides, 8 or 0."""
    options = [option for gate in gates for option in ("--threshold", gate)]

    async with threaded_server(half_failing) as server:
        done = load("http://{}:{}/".format(*server.where), "-n", 200, "-c", 2, "--quiet", *options)

    words = " ".join(done.stdout.split())
    assert done.returncode == code, done.stdout
    assert words.startswith(f"Verdict {verdict} (")
    assert re.search(
        r"(49.5|50.0) % of the requests failed, the first after 0.\d\d s: status_500, (99|100) times", words
    )
    assert ("(--threshold allows 60 % of errors)" in words) is (code == 0)


@pytest.mark.parametrize(
    "load_options", [["--rate", 400, "-d", 30], ["-n", 600_000, "-t", 2], ["-d", 30]], ids=["rate", "number", "time"]
)
async def test_a_test_ends_when_a_threshold_is_lost(load_options: list[object]) -> None:
    """The report is one on what was measured, and names the threshold that ended the test."""
    options = ["--threshold", "errors<5%", "--threshold", "rate>1", "--abort", "-c", 4, "--quiet", "--json"]

    async with threaded_server(half_failing) as server:
        done = load("http://{}:{}/".format(*server.where), *load_options, *options)

    report = json.loads(done.stdout)
    assert done.returncode == 8, done.stderr
    assert report["aborted_by"] == "errors<5%"
    assert report["seconds"] < 12
    assert report["conservation_law_holds"]
    assert not report["interrupted"]
    assert re.search(r"MISSED errors<5%: (49|5\d)(\.\d)? %; the test ended early", " ".join(done.stderr.split()))
    assert "MISSED rate>1" in done.stderr


def test_an_expected_status_decides_what_is_good(site: str) -> None:
    """With nothing good, the exit code is 1 and the failure has the status's name."""
    done = load(site, "-n", 20, "-c", 2, "--expect-status", "201")

    assert done.returncode == 1
    assert done.stdout.startswith("Verdict      NOTHING-OK (no request was ok: 20 status_200)")
    assert "status_200 20:" in done.stdout


def test_an_expected_text_decides_what_is_good(site: str) -> None:
    """The body is looked at, and a page without the text is a failure."""
    good, bad = (load(site, "-n", 20, "-c", 2, "--expect-body", text) for text in ("<html", "no such text"))

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "unexpected_body 20:" in bad.stdout


def test_the_histogram_file_is_read_by_other_tools(site: str, tmp_path: Path) -> None:
    """Its counts are those of the report."""
    path = tmp_path / "run.hlog"

    done = load(site, "-n", 500, "-c", 2, "--save-histogram", path)

    reader = HistogramLogReader(str(path), HdrHistogram(1, 24 * 3600 * 10**9, 3))
    assert done.returncode == 0, done.stderr
    assert reader.get_next_interval_histogram().get_total_count() == 500
    reader.close()


def test_the_rows_per_second_are_those_of_the_report(site: str, tmp_path: Path) -> None:
    """The CSV and the JSON of one test have the same seconds, and these hold every request."""
    path = tmp_path / "run.csv"
    path.write_text("a former run")

    done = load(site, "--rate", 200, "-d", 2, "-c", 2, "--csv", path, "--json")

    report, rows = json.loads(done.stdout), list(csv.DictReader(path.read_text().splitlines()))
    assert done.returncode == 0, done.stderr
    assert sum(int(row["ok"]) for row in rows) == report["outcomes"]["ok"] == 400
    assert [float(row["begin_s"]) for row in rows] == [one["begin_s"] for one in report["intervals"]]
    assert [int(row["scheduled"]) for row in rows] == [one["scheduled"] for one in report["intervals"]]
    assert list(tmp_path.iterdir()) == [path]


def test_the_page_is_written_whole_with_the_verdict_of_the_terminal(site: str, tmp_path: Path) -> None:
    """The gates are in it, and the former content is replaced."""
    path = tmp_path / "run.html"
    path.write_text("a former run")

    done = load(site, "-n", 300, "-c", 4, "--html", path, "--threshold", "errors<1%")

    page = path.read_text("utf-8")
    verdict = done.stdout.split()[1]
    assert page.startswith("<!doctype html>")
    assert f"<span>{verdict}</span>" in page
    assert "errors&lt;1%" in page
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_in_the_end_costs_no_report(site: str) -> None:
    """The report is printed first; the message names the option, and the exit code says that the disk failed."""
    done = load(site, "-n", 20, "-c", 2, "--csv", "/dev/full")

    assert done.stdout.startswith("Verdict")
    assert done.stderr.splitlines()[-1].endswith("--csv: /dev/full: No space left on device; the file was not written")
    assert done.returncode == 5


def test_metrics_are_served_while_it_runs_and_no_longer(site: str) -> None:
    """Standard error tells the port; a scraper sees the counts of both processes, and the report is whole."""
    command = [sys.executable, "-m", "crawler", "load", site, "--rate", "200", "-d", "4", "-c", "4", "-t", "2"]
    running = subprocess.Popen([*command, "--metrics", "0", "--quiet"], stdout=-1, stderr=-1, text=True)
    assert running.stderr is not None
    url = running.stderr.readline().removeprefix("metrics: ").strip()
    seen = 0

    while seen < 200:
        with urlopen(url, timeout=5) as answer:  # noqa: S310
            text = answer.read().decode()
        seen = int(re.findall(r'requests_total\{outcome="ok"\} (\d+)', text)[0])
    report, rest = running.communicate(timeout=60)

    assert url.startswith("http://127.0.0.1:")
    assert (running.returncode, rest) == (0, "")
    assert "800 scheduled = 800 ok" in " ".join(report.split())
    with pytest.raises(URLError):
        urlopen(url, timeout=5)  # noqa: S310


@pytest.mark.parametrize("host", ["192.0.2.1", "10.255.255.1", "169.254.169.254", "[2001:db8::1]"])
def test_another_machine_is_refused(host: str) -> None:
    """Exit 7, and the message says what the user must be able to say."""
    done = load(f"http://{host}/")

    assert done.returncode == 7
    assert "--i-may-test" in done.stderr
    assert done.stdout == ""


def test_a_host_that_may_be_tested_is_named_in_the_report(site: str) -> None:
    """The user's word is kept; it holds for that host alone."""
    good = load(site, "-n", 20, "-c", 2, "--i-may-test", "127.0.0.1", "--json")
    other = load(site, "--i-may-test", "example.com")

    assert json.loads(good.stdout)["asked"]["allowed_host"] == "127.0.0.1"
    assert other.returncode == 2


@pytest.mark.parametrize("when", ["1", "2"])
def test_ctrl_c_gives_the_partial_report_and_130(when: str, site: str) -> None:
    """The report says that it was interrupted, the counts add up, and a gate is not passed by it."""
    command = [sys.executable, "-m", "crawler", "load", site, "-d", "60", "-c", "4", "--rate", "200", "-t", when]
    command += ["--threshold", "errors<100%"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stderr is not None
        assert child.stdout is not None
        line = child.stderr.readline()  # the first line of the display: it is under way
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does, to all of its processes
        report, errors = child.stdout.read(), child.stderr.read()

    words = " ".join(report.split())
    sums = re.search(r"([\d,]+) scheduled = ([\d,]+) ok", words)
    assert child.returncode == 130, errors
    assert "requests/s" in line
    assert "interrupted" in report
    assert re.search(r"MISSED errors<100%: \S+ %, but interrupted", words)
    assert sums is not None
    assert 0 < int(sums[1].replace(",", "")) < 60 * 200
    assert "Traceback" not in errors


def test_a_process_that_is_killed_ends_the_test(site: str) -> None:
    """Half of the figures would be a lie: one line says what happened, and nothing is measured twice."""
    command = [sys.executable, "-m", "crawler", "load", site, "-d", "30", "-c", "4", "-t", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert child.stdout is not None
        child.stderr.readline()  # it is under way
        children = [
            int(pid)
            for task in Path(f"/proc/{child.pid}/task").iterdir()
            for pid in (task / "children").read_text().split()
        ]
        workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(workers[0], signal.SIGKILL)
        report, errors = child.stdout.read(), child.stderr.read()

    assert child.returncode == 70
    assert report == ""
    assert "ended from outside" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--stages", "10:x"], "TIME:RATE"),
        (["--stages", "1s:10", "--rate", "5"], "leave out"),
        (["--poisson"], "--rate"),
        (["--threshold", "p99"], "such as p99<50ms"),
        (["-t", "9", "-c", "3"], "connections"),
        (["--body-file", "/no/such/file"], "No such file"),
        (["--unix-socket", "/no/such/socket"], "is no socket"),
        (["--save-histogram", "/no/such/folder/x.hlog"], "No such file"),
        (["--csv", "/no/such/folder/x.csv"], "No such file"),
        (["--html", "/tmp"], "is a folder"),
        (["--metrics", "70000"], "not in the range"),
        (["--csv", "/tmp/one", "--save-histogram", "/tmp/one"], "writes this file, too"),
        (["--expect-status", "2xx"], "200,204"),
        (["-X", "GE T"], "expected a name"),
        (["-X", "head"], "write HEAD"),
        (["-H", "Connection: close"], "give --no-keep-alive instead"),
        (["-H", "Transfer-Encoding: chunked"], "give --chunked instead"),
        (["--chunked"], "give --body or --body-file, too"),
        (["--sni", "app.example"], "write https://"),
        (["--ca-file", "/etc/passwd", "--insecure", "--tls-max", "1.1"], "RFC 8996"),
        (["--threshold", "p0.99<1s"], "write p99"),
        (["--threshold", "p99{GET /}<1s"], "leave out the braces"),
        (["--stages", "1s:5,1s:9", "--threshold", "p99{stage 3}<1s"], "there are: stage 1 (to 5/s), stage 2 (to 9/s)"),
        (["--abort"], "give a --threshold, too"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(arguments: list[str], hint: str, site: str) -> None:
    """Exit 2, one line, and nothing is sent."""
    done = load(site, *arguments)

    assert done.returncode == 2
    assert hint in done.stderr
    assert done.stderr.count("\n") == 1
