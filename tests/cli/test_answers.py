"""`crawler capacity` and `crawler compare` on the command line: their exit codes, and one line for bad input."""

import json
from pathlib import Path

import pytest

from crawler.cli.main import _run


def saved(path: Path, factor: float, verdict: str = "OK") -> str:
    """Write a saved run of 30 seconds whose latencies are `factor` times the usual, and give its name."""
    times = [factor * (10 + number % 3 / 100) for number in range(30)]
    rows = [
        {"begin_s": n, "seconds": 1, "measured": True, "ok": 100, "failed": 0, "p50_ms": time, "p99_ms": 2 * time}
        for n, time in enumerate(times)
    ]
    asked = {"mode": "open", "rate": 100, "connections": 4, "processes": 1}
    path.write_text(json.dumps({"verdict": verdict, "because": "b", "asked": asked, "intervals": rows}), "utf-8")
    return str(path)


@pytest.mark.parametrize(("factor", "verdict", "code"), [(1.0, "OK", 0), (1.2, "OK", 8), (1.0, "CLIENT-BOUND", 11)])
def test_the_exit_code_of_a_comparison_is_its_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], factor: float, verdict: str, code: int
) -> None:
    """0 without a regression, 8 with one, 11 where the runs are worthless."""
    a, b = saved(tmp_path / "a.json", 1.0), saved(tmp_path / "b.json", factor, verdict)

    assert _run(["compare", a, b, "--json"]) == code
    assert json.loads(capsys.readouterr().out)["kind"] == "compare"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["capacity", "127.0.0.1:9"], "crawler: --slo: give the service level that must hold"),
        (["capacity", "127.0.0.1:9", "--slo", "p99"], "crawler: --slo 'p99': expected a figure"),
        (["compare", "127.0.0.1:9", "a.json"], "crawler: a.json is a file and 127.0.0.1:9 a URL: give two URLs"),
        (["compare", "a.json", "b.json"], "crawler: a.json: No such file or directory"),
        (["compare", "a.json", "b.json", "--rate", "5"], "crawler: --rate: two saved runs are compared as they are"),
        (["compare", "127.0.0.1:9", "127.0.0.1:9", "--tolerance", "x"], "crawler: --tolerance 'x': expected a share"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """Exit 2, and the option as it was given."""
    assert _run(arguments) == 2

    told = capsys.readouterr().err
    assert told.startswith(message)
    assert told.count("\n") == 1


@pytest.mark.parametrize("command", ["capacity", "compare"])
def test_another_machine_is_refused(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """The guard of the load test stands before both."""
    urls = ["http://192.0.2.1/"] * (2 if command == "compare" else 1)

    assert _run([command, *urls, *(["--slo", "p99<5ms"] if command == "capacity" else [])]) == 7
    assert "--i-may-test 192.0.2.1" in capsys.readouterr().err


def test_the_page_of_a_comparison_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is printed as ever, and the file has the same verdict."""
    a, b = saved(tmp_path / "a.json", 1.0), saved(tmp_path / "b.json", 1.2)

    assert _run(["compare", a, b, "--html", str(tmp_path / "page.html")]) == 8

    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "REGRESSION" in page
    assert "REGRESSION" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["capacity", "127.0.0.1:9", "--slo", "p99<5ms"], ["compare", "a.json", "b.json"]]
)
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Minutes of load would be lost otherwise."""
    assert _run([*arguments, "--html", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"crawler: --html: {tmp_path}: is a folder; expected a file\n"
