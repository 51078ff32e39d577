"""`--extract`: whatever a user's function does, its page is kept and the crawl goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
from journeys.extractors import ACTS

from crawler.core.records import MAX_DATA
from support.commands import crawler
from support.siteserver import HandMadeSite

RAISED = {
    "exit": "SystemExit",
    "interrupt": "KeyboardInterrupt",
    "generator": "GeneratorExit",
    "cancelled": "CancelledError",
    "untellable": "UntellableError",
    "raw": "DecodeError",
    "nested": "RecursionError",
}
TOLD: dict[str, tuple[str, str | None, object]] = {
    # reason, error up to its text, data
    **{act: ("extract_error", error, None) for act, error in RAISED.items()},
    "large": ("data_limit", f"its data takes {MAX_DATA + 2} bytes as JSON, and {MAX_DATA} are taken", None),
    "nan": ("ok", None, {"it": None}),
    "bytes": ("ok", None, {"it": "YWJj"}),
    "set": ("ok", None, {"it": [1]}),
}


def told(line: dict[str, Any]) -> tuple[str, str | None, object]:
    """Return a line's reason, error and data."""
    return line["reason"], line["error"] and line["error"].partition(":")[0], line["data"]


@pytest.mark.parametrize("workers", [0, 1])
async def test_whatever_a_function_does_costs_its_page_its_data(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], workers: int
) -> None:
    """Title and links stay, error and summary say why there is no data, and what it prints is no line of output."""
    out = tmp_path / "out"
    async with HandMadeSite() as site:
        site.add_page("/", links=[f"/{act}" for act in ACTS])
        for act in ACTS:
            site.add_page(f"/{act}", f"<title>{act}</title>", links=[f"/{act}/next"])
            site.add_page(f"/{act}/next", "next")
        asked = ("crawl", site.url("/"), "-o", out, "--workers", workers, "--save", "-")

        code = await crawler(*asked, "--extract", "journeys.extractors:act")

        printed = capfd.readouterr()
        lines = {line["url"].removeprefix(site.url("/")): line for line in map(json.loads, printed.out.splitlines())}
    assert code == 1
    assert {act: told(lines[act]) for act in ACTS} == TOLD
    assert {act: (lines[act]["outcome"], lines[act]["title"]) for act in ACTS} == {act: ("done", act) for act in ACTS}
    assert all(lines[f"{act}/next"]["data"] == {"fine": True} for act in ACTS)
    assert json.loads((out / "summary.json").read_bytes())["unread"] == {"data_limit": 1, "extract_error": len(RAISED)}
    assert {"printed", "written", *["echoed"] * workers} <= set(printed.err.split())
