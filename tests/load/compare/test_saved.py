"""Comparisons of saved runs, their files, and the options of a comparison."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

import crawler
from crawler.core.errors import UsageError
from crawler.load.capacity.null_server import null_server
from crawler.load.compare.blocks import Block
from crawler.load.compare.config import COMPARE_OPTIONS, configure_compare
from crawler.load.compare.result import CompareVerdict
from crawler.load.compare.run import are_saved, compare_servers
from crawler.runtime.loop import Stop

SECOND = {"begin_s": 0.0, "seconds": 1.0, "measured": True, "ok": 100, "failed": 0, "p50_ms": 1.0, "p99_ms": 2.0}


def saved(path: Path, factor: float = 1.0, seed: int = 1, **changes: Any) -> str:
    """Write a report of 40 seconds whose latencies are `factor` times the usual, and give its name."""
    chance = Random(seed)  # noqa: S311
    rows = [
        {
            "begin_s": number,
            "seconds": 1.0,
            "measured": number > 0,
            "scheduled": 100,
            "ok": 100,
            "failed": 0,
            "failures": {},
            "p50_ms": factor * chance.uniform(9.9, 10.1),
            "p90_ms": 15.0,
            "p99_ms": factor * chance.uniform(19, 21),
            "max_ms": 30.0,
            "in_flight": 1,
            "users": 1,
            "lag_p99_ms": 0.1,
            "cpu": 0.1,
        }
        for number in range(41)
    ]
    asked = {"mode": "open", "rate": 100.0, "connections": 8, "processes": 1, "method": "GET"}
    report = {"schema": 2, "verdict": "OK", "because": "", "asked": asked, "intervals": rows, **changes}
    path.write_text(json.dumps(report), "utf-8")
    return str(path)


async def test_two_saved_runs_are_compared(tmp_path: Path) -> None:
    """10 % more is found in their seconds, and the report says that the times of day are compared, too."""
    a, b, c = (
        saved(tmp_path / f"{name}.json", factor, seed)
        for name, factor, seed in (("a", 1.0, 1), ("b", 1.1, 2), ("c", 1.0, 3))
    )

    worse, same = await crawler.compare(a, Path(b)), await crawler.compare(a, c, tolerance=0.05)

    assert (worse.verdict, same.verdict) == (CompareVerdict.REGRESSION, CompareVerdict.NO_DIFFERENCE)
    assert [metric.name for metric in worse.metrics] == ["p50", "p99", "errors"]
    assert "the runs were at different times" in worse.text()
    assert max(map(len, worse.text().splitlines())) <= 80


async def test_a_run_that_its_client_limited_makes_it_worthless(tmp_path: Path) -> None:
    """The verdict of the run is named."""
    a = saved(tmp_path / "a.json")
    b = saved(tmp_path / "b.json", verdict="CLIENT-BOUND", because="the client used 95 % of a core")

    found = await crawler.compare(a, b)

    assert (found.verdict, found.metrics) == (CompareVerdict.WORTHLESS, ())
    assert found.because == "B was CLIENT-BOUND: the client used 95 % of a core"


async def test_a_run_whose_client_was_late_in_the_tail_is_compared_by_its_median(tmp_path: Path) -> None:
    """Its p99 is not judged; where the client had no processor time left nothing is."""
    client = {"processes": [{"cpu": 0.3}], "share_at_most": {"p50": 0.01, "p99": 0.7}}
    busy = {"processes": [{"cpu": 0.95}], "share_at_most": {"p50": 0.01, "p99": 0.7}}
    a = saved(tmp_path / "a.json")
    late = saved(tmp_path / "b.json", 1.1, 2, verdict="CLIENT-BOUND", client=client)
    spent = saved(tmp_path / "c.json", 1.1, 2, verdict="CLIENT-BOUND", client=busy)

    found, worthless = await crawler.compare(a, late), await crawler.compare(a, spent)

    assert found.verdict is CompareVerdict.REGRESSION
    assert [metric.name for metric in found.metrics] == ["p50", "errors"]
    assert "p99 not judged: 39 of 39 blocks of B were client-bound" in found.because
    assert worthless.verdict is CompareVerdict.WORTHLESS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intervals": []}, "has no measured seconds (`intervals`): make it anew with `crawler load --json`"),
        ({"asked": {"method": "GET", "mode": "closed"}}, "mode is open and closed: compare runs of one load"),
        ({"intervals": 3}, "no report of a load test"),
        ({"intervals": [{**SECOND, "seconds": 0}] * 9}, "no report of a load test"),
        ({"intervals": [{**SECOND, "p50_ms": -1}] * 9}, "no report of a load test"),
        ({"asked": {"method": "GET", "mode": "open", "rate": 100.0, "think": [1, 2]}}, "compare runs of one load"),
        ({"kind": "capacity"}, "the report of `crawler capacity`; give those of `crawler load --json`"),
        ({"schema": 1}, "has schema 1, and this version reads 2: make it anew with `crawler load --json`"),
        (
            {"asked": {"method": "GET", "mode": "open", "rate": 50.0}},
            "rate is 100.0 and 50.0: compare runs of one load",
        ),
        ({"intervals": [SECOND] * 6}, "has 6 measured seconds, and 7 are needed: test longer, such as -d 30"),
    ],
)
async def test_a_file_that_cannot_be_compared_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """One line names the file and what to do."""
    a, b = saved(tmp_path / "a.json"), saved(tmp_path / "b.json", **changes)

    with pytest.raises(UsageError, match=r"b\.json") as refused:
        await crawler.compare(a, b)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_file_beside_itself_is_refused(tmp_path: Path) -> None:
    """By a link, too: no difference would be found, whatever the truth is."""
    a = saved(tmp_path / "a.json")
    (tmp_path / "b.json").symlink_to(a)

    with pytest.raises(UsageError, match=r"a\.json and .*b\.json are one file: give the reports of two runs"):
        await crawler.compare(a, tmp_path / "b.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]"])
async def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    """So is one that was cut off."""
    a, b = saved(tmp_path / "a.json"), tmp_path / "b.json"
    b.write_bytes(content)

    with pytest.raises(UsageError, match=r"b\.json: no report of a load test"):
        await crawler.compare(a, b)


async def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """With the words of the system."""
    with pytest.raises(UsageError, match=r"none\.json: No such file or directory"):
        await crawler.compare(saved(tmp_path / "a.json"), tmp_path / "none.json")


def test_a_file_and_a_url_are_refused() -> None:
    """Each kind has its own way of being measured."""
    assert are_saved("a.json", "b.json")
    assert not are_saved("http://127.0.0.1/a.json", "127.0.0.1:8000")
    with pytest.raises(UsageError, match=r"a\.json is a file and http://127\.0\.0\.1/ a URL: give two URLs"):
        are_saved("http://127.0.0.1/", "a.json")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tolerance": "much"}, "--tolerance 'much': expected a share below 100 %, such as 5% or 0.05"),
        ({"tolerance": "100%"}, "--tolerance '100%': expected a share"),
        ({"tolerance": "0%"}, "--tolerance '0%': no two runs are exactly alike: give the change that does not matter"),
        ({"tolerance": "-5%"}, "--tolerance '-5%': expected a share below 100 %"),
        ({"tolerance": "500%"}, "--tolerance '500%': expected a share below 100 %"),
        ({"targets": "-"}, "--targets -: both sides need it, and standard input can be read once: give a file"),
        ({"script": "u.py", "rate": 5}, "--script: it tells what users do"),
        ({"blocks": 7}, "--blocks 7: at least 8 are needed"),
        ({"poisson": True}, "--poisson: a closed loop has no arrivals"),
        ({"duration": 5}, "options: there is no option 'duration'"),
    ],
)
def test_an_impossible_comparison_is_refused_in_one_line(given: dict[str, object], message: str) -> None:
    """The option is named, with what to do."""
    with pytest.raises(UsageError) as refused:
        configure_compare(given)

    assert message in str(refused.value)


def test_saved_runs_take_no_options_of_a_load() -> None:
    """Nothing is sent, so nothing can be told about sending."""
    with pytest.raises(UsageError, match="--rate: two saved runs are compared as they are"):
        configure_compare({"rate": 5, "tolerance": "3%"}, saved=True)


def test_the_request_is_told_as_for_a_load_test() -> None:
    """A block is as long as told, after its settling."""
    config = configure_compare({"block": 3, "rate": 100, "tolerance": "2.5%"})

    assert (config.load.shape.duration, config.load.shape.warmup, config.load.shape.rate) == (3, 0.2, 100)
    assert config.blocks.share() == 0.025
    assert {"header", "body", "expect-status", "connections"} <= set(COMPARE_OPTIONS)


async def test_two_servers_are_asked_in_turn() -> None:
    """A null server beside itself: every block is kept, in the order ABBA or BAAB, with its JSON."""
    async with null_server() as url:
        found = await crawler.compare(url, url, blocks=8, block=0.1, settle=0, connections=2, rate=400)

    sides = "".join(block.side for block in found.blocks)
    assert {sides[at : at + 4] for at in range(0, 16, 4)} <= {"ABBA", "BAAB"}
    assert all(block.errors == 0 and block.rate > 0 for block in found.blocks)
    assert json.loads(found.to_json())["kind"] == "compare"


async def test_a_file_of_targets_is_sent_to_both_sides(tmp_path: Path) -> None:
    """The report names it, and each side gets all of its requests, whatever host the lines name."""
    mix = tmp_path / "mix.txt"
    mix.write_text("/a\n/b\nGET http://other.test/c\n", "utf-8")

    async with null_server() as url:
        found = await crawler.compare(url, url, targets=str(mix), blocks=8, block=0.1, settle=0, connections=2)

    assert all(block.errors == 0 and block.rate > 0 for block in found.blocks)
    assert f"3 requests of {mix}, 3 groups" in found.load


@pytest.mark.parametrize(("after", "verdict"), [(16, "not WORTHLESS"), (3, "WORTHLESS")])
async def test_a_comparison_that_is_stopped_says_what_its_blocks_say(after: int, verdict: str) -> None:
    """Eight pairs decide something, one does not; neither is told to mend a machine that is in order."""
    stop, shown = Stop(), list[Block]()

    def show(block: Block) -> None:
        shown.append(block)
        if len(shown) == after:
            stop.request_drain()

    config = configure_compare({"block": 0.1, "settle": 0, "connections": 2, "rate": 300})
    async with null_server() as url:
        found = await compare_servers(url, url, config, stop=stop, show=show)

    assert found.interrupted
    assert len(found.blocks) == after
    assert (found.verdict is CompareVerdict.WORTHLESS) == (verdict == "WORTHLESS") or any(one.fault for one in shown)
    assert found.verdict is not CompareVerdict.WORTHLESS or found.advice.startswith("let it run to its end")
