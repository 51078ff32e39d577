"""A kill between each two steps of the group commit, and inside the append."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.core.config import configure
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.seed_lists import SeedList
from crawler.site.plan import SitePlan
from support.crawls import urls
from support.faults import site_process

SCRIPT = Path(__file__).with_name("dying_run.py")
STEPS = [
    "before_append",
    "inside_append",
    "after_append",
    "after_sync",
    "inside_transaction",
    "before_commit",
    "after_commit",
    "after_acknowledged",
    "after_truncate",
    "after_deaths_counted",
]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A list of the URLs of a site that is served while these tests run."""
    with site_process(SitePlan.plain(pages=150), tmp_path_factory.mktemp("log") / "requests.jsonl") as running:
        yield list(running.site.urls())


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path, listed: list[str], step: str) -> None:
    """Killed at the first, second, ... time that it comes to this step, the run ends with every URL exactly once."""
    folder = RunFolder(tmp_path)
    folder.seeds.write_text("".join(f"{url}\n" for url in listed), "utf-8")
    config = configure({"concurrency": 10})
    size = folder.seeds.stat().st_size
    folder.write_facts(RunFacts(command="fetch", sources=(SeedList("list", 1),), config=config, seeds_bytes=size))

    codes = [_run(step, nth, tmp_path) for nth in (1, 2, 4)]
    assert _run("none", 1, tmp_path) == 0

    assert -signal.SIGKILL in codes
    assert urls(tmp_path) == dict.fromkeys(listed, 1)
    audit = subprocess.run([sys.executable, "-m", "crawler", "verify", str(tmp_path)], check=False, capture_output=True)
    assert audit.returncode == 0, audit.stderr


@pytest.mark.parametrize("step", ["after_sync", "inside_transaction", "before_commit", "after_commit"])
def test_a_kill_loses_no_guess(tmp_path: Path, listed: list[str], step: str) -> None:
    """Lines without a scheme lead to http, each once, whenever the run is killed."""
    folder, chosen = RunFolder(tmp_path), listed[:40]
    folder.seeds.write_text("".join(f"{url.removeprefix('http://')}\n" for url in chosen), "utf-8")
    config = configure({"concurrency": 10, "robots": False})
    size = folder.seeds.stat().st_size
    folder.write_facts(RunFacts(command="fetch", sources=(SeedList("list", 1),), config=config, seeds_bytes=size))

    codes = [_run(step, nth, tmp_path) for nth in (1, 2, 3)]
    assert _run("none", 1, tmp_path) == 0

    assert -signal.SIGKILL in codes
    assert urls(tmp_path) == dict.fromkeys(chosen, 1)
    audit = subprocess.run([sys.executable, "-m", "crawler", "verify", str(tmp_path)], check=False, capture_output=True)
    assert audit.returncode == 0, audit.stderr


def _run(step: str, nth: int, folder: Path) -> int:
    return subprocess.run([sys.executable, str(SCRIPT), step, str(nth), str(folder)], check=False).returncode
