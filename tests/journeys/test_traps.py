"""Sites without end, crawled through the command line with nothing but defaults, all at once."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from support.crawls import records
from support.trap_site import TRAPS, real_pages, trap_sites

QUICK = ("months", "sessions", "permuted", "nested", "hops")  # benchmarks/traps.py has the others, too


@dataclass(frozen=True, slots=True, repr=False)
class Crawled:
    """A crawl that is over: its exit code, what it showed, its account, and its lines by trap."""

    base_urls: dict[str, str]
    code: int
    shown: str
    summary: dict[str, Any]
    lines: dict[str, list[dict[str, object]]]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    """One crawl of all quick traps."""
    folder = tmp_path_factory.mktemp("traps") / "run"
    with trap_sites(*QUICK) as base_urls:
        seeds = [f"{base_url}/" for base_url in base_urls.values()]
        command = [sys.executable, "-m", "crawler", "crawl", *seeds, "-o", str(folder)]
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = records(folder)
    return Crawled(
        base_urls=base_urls,
        code=done.returncode,
        shown=done.stderr,
        summary=json.loads((folder / "summary.json").read_bytes()),
        lines={name: [line for line in lines if _is_below(url, line)] for name, url in base_urls.items()},
    )


def _is_below(base_url: str, line: dict[str, object]) -> bool:
    return str(line["url"]).startswith(f"{base_url}/")


def test_a_crawl_of_traps_ends_by_itself(crawled: Crawled) -> None:
    """Nothing is pending, nothing failed and no budget was needed; chains of hops are told by the exit code."""
    assert crawled.summary["stopped_by"] is None
    assert crawled.summary["pending"] == 0
    assert crawled.summary["failures"] == {}
    assert crawled.code == 1


@pytest.mark.parametrize("name", QUICK)
def test_a_trap_is_refused_with_its_reason_and_first_examples(crawled: Crawled, name: str) -> None:
    """The account tells how many URLs were refused why, and which came first; so does the terminal."""
    for reason in TRAPS[name].refused:
        examples = crawled.summary["examples"][reason]

        assert crawled.summary["skipped"][reason] >= len(examples) > 0
        assert all(url.startswith(f"{crawled.base_urls[name]}/") for url in examples)
        assert f" {reason}: {examples[0][:80]}" in crawled.shown
    assert len(crawled.lines[name]) < TRAPS[name].patience


def test_nothing_else_is_refused(crawled: Crawled) -> None:
    """Each reason is one of a trap that was crawled."""
    assert set(crawled.summary["skipped"]) == {reason for name in QUICK for reason in TRAPS[name].refused}


@pytest.mark.parametrize("name", QUICK)
def test_no_real_page_is_lost_to_a_trap(crawled: Crawled, name: str) -> None:
    """Every real page beside the trap, and behind it, was fetched."""
    titles = [line["title"] for line in crawled.lines[name] if line["status"] == 200]

    assert real_pages(titles) == TRAPS[name].real
