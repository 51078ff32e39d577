import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from crawler.site.plan import SitePlan
from support.faults import site_process

BENCHMARKS: Final = Path(__file__).parent.parent / "benchmarks"
SCRIPTS: Final = sorted(BENCHMARKS.glob("*.py"))
PAGE: Final = "<!doctype html><title>A page</title><a href='a.html'>a</a> <a href='b.html'>b</a>"


@pytest.mark.parametrize("script", [path for path in SCRIPTS if path.name != "desync.py"], ids=lambda path: path.stem)
def test_a_benchmark_begins(script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every benchmark can be imported and says what it takes; desync.py takes a number and has no help."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {script.name}")


def test_the_readme_lists_every_benchmark() -> None:
    """A benchmark that no line of the README explains would be found by chance only."""
    listed = (BENCHMARKS / "README.md").read_text("utf-8")

    assert [path.name for path in SCRIPTS if f"\n| `{path.name}" not in listed] == []


@pytest.mark.parametrize(
    ("script", "arguments", "figures"),
    [
        ("cost_reading.py", ["FOLDER", "4"], {"us", "count"}),
        ("cost_storing.py", ["FOLDER", "/a.html", "10"], {"us", "count"}),
        ("cost_handing_over.py", ["64", "1000"], {"main", "workers"}),
        ("cost_fetching.py", ["URL", "64"], {"us"}),
    ],
)
def test_a_step_of_the_cost_table_runs(script: str, arguments: list[str], figures: set[str], tmp_path: Path) -> None:
    """The table leaves a step out that cannot be run, so a renamed part of the crawler would go unnoticed."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.html").write_text(PAGE, "utf-8")
    with site_process(SitePlan.plain(pages=1), tmp_path / "log") as running:
        places = {"FOLDER": str(tmp_path), "URL": running.site.base_urls[0] + "/"}
        command = [
            sys.executable,
            str(BENCHMARKS / "support" / script),
            *(places.get(word, word) for word in arguments),
        ]

        told = json.loads(subprocess.run(command, check=True, cwd=tmp_path, stdout=subprocess.PIPE).stdout)

    assert told.keys() == figures
    assert all(figure > 0 for figure in told.values())


def test_the_cost_of_a_run_is_told_by_thread(tmp_path: Path) -> None:
    """The event loop is the main thread; the storage thread is told by its name, and the workers as children."""
    with site_process(SitePlan.plain(pages=5), tmp_path / "log") as running:
        report, listed = tmp_path / "report.json", tmp_path / "list"
        listed.write_text("\n".join(running.site.urls()), "utf-8")
        script = str(BENCHMARKS / "support" / "cost_threads.py")
        command = [sys.executable, script, str(report), "fetch", str(listed), "-o", str(tmp_path / "run"), "--quiet"]
        command += ["--select", "title=title"]  # selectors are always read in a worker

        subprocess.run(command, check=True, cwd=tmp_path)

    told = json.loads(report.read_text("utf-8"))
    assert told["threads"]["storage"] > 0
    assert told["process"] > told["main"] > 0
    assert told["children"] > 0
