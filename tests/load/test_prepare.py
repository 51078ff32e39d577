"""load.prepare: what the setup of a test says of its options, in the report and in its JSON."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crawler.load.contradictions import configure_load
from crawler.load.page.tables import setup_facts
from crawler.load.prepare import prepare
from crawler.load.records import Phase
from crawler.load.report import load_text
from crawler.load.result import LoadResult, LoadSetup
from support.load_results import load_result

URL = "http://127.0.0.1:9/"
USUAL = {"login", "feed", "script", "replay", "think"}


async def setup(folder: Path, **options: Any) -> LoadSetup:
    """The setup of these options, with files of this folder."""
    (folder / "mix.txt").write_text("/ weight=1\nno request\n/users/${id} weight=1\n")
    (folder / "log.txt").write_text('127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1\n')
    (folder / "rows.csv").write_text("id\n7\n")
    (folder / "login.txt").write_text("/login/${id}\n")
    (folder / "shop.py").write_text("async def user(u): ...\n")
    (folder / "requests").mkdir()
    values = {name.replace("_", "-"): value for name, value in options.items()}
    asked, _ = await prepare(URL, configure_load(values), folder / "requests")
    return asked


def shown(asked: LoadSetup) -> tuple[LoadResult, str]:
    """A result with this setup, and its report on one line."""
    found = replace(load_result([Phase(name="measured")]), asked=asked)
    return found, " ".join(load_text(found).split())


async def test_users_are_told_with_all_that_they_do(tmp_path: Path) -> None:
    """In the report, on the page and in the JSON."""
    asked = await setup(
        tmp_path,
        targets=f"{tmp_path}/mix.txt",
        skip_broken=True,
        feed=f"{tmp_path}/rows.csv",
        steps=True,
        think="500ms-2s",
        login=f"{tmp_path}/login.txt",
    )

    result, text = shown(asked)

    words = (
        f"each user sends all targets in order, think time 500 ms to 2.0 s, log-in by {tmp_path}/login.txt,"
        f" users keep cookies, rows of {tmp_path}/rows.csv"
    )
    assert words.replace(" ", "") in text.replace(" ", "")  # a long path may be broken
    assert words in str(setup_facts(result, {}))
    json: Any = result.to_dict()["asked"]
    assert (json["think"], json["steps"], json["user_cookies"], json["shuffle"]) == ((0.5, 2.0), True, True, False)
    assert (json["login"], json["feed"]) == (f"{tmp_path}/login.txt", f"{tmp_path}/rows.csv")
    assert not {"replay", "script"} & set(json)


async def test_a_replay_is_told_with_its_factor(tmp_path: Path) -> None:
    """Of a replay at the file's own pace, the JSON alone says 1."""
    asked = await setup(tmp_path, targets=f"{tmp_path}/log.txt", replay="2x")

    result, text = shown(asked)

    assert "the times of the file, 64 connections, 1 process, 2 times as fast as the file" in text
    assert result.to_dict()["asked"]["replay"] == 2.0  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "told"),
    [({"shuffle": True, "targets": "mix.txt"}, "shuffled"), ({"user_cookies": True}, "keep cookies")],
)
async def test_other_options_are_told_too(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    """Each in its own words."""
    if "targets" in options:
        options = options | {"targets": f"{tmp_path}/log.txt"}

    assert told in shown(await setup(tmp_path, **options))[1]


async def test_a_script_is_named(tmp_path: Path) -> None:
    """Its users always keep cookies, and the seed decides on their chance."""
    asked = await setup(tmp_path, script=f"{tmp_path}/shop.py", seed=7)

    assert (asked.script, asked.user_cookies, asked.seed) == (f"{tmp_path}/shop.py", True, 7)


async def test_a_plain_test_is_told_plainly(tmp_path: Path) -> None:
    """Nothing is said of what was not asked for."""
    result, text = shown(await setup(tmp_path))

    assert "Load closed loop, 64 connections, 1 process Rate" in text
    assert not USUAL & set(result.to_dict()["asked"])  # type: ignore[call-overload]


async def test_lines_that_were_left_out_are_told_once(tmp_path: Path) -> None:
    """One of three is no request."""
    options = {"targets": f"{tmp_path}/mix.txt", "feed": f"{tmp_path}/rows.csv", "skip_broken": True}

    _, text = shown(await setup(tmp_path, **options))

    assert text.count("left out") == 1
    assert "1 line of the file left out" in text


async def test_a_log_in_of_the_same_server_is_no_second_host(tmp_path: Path) -> None:
    """The path of the URL is no part of the host."""
    file, folder = tmp_path / "login.txt", tmp_path / "requests"
    file.write_text("POST /login\n")
    folder.mkdir()

    asked, plan = await prepare("http://127.0.0.1:9/items", configure_load({"login": str(file)}), folder)

    assert [origin.href for origin in plan.origins] == ["http://127.0.0.1:9/items"]
    assert (asked.hosts, len(plan.endpoints)) == (1, 1)
    assert plan.groups == ("GET /items", "POST /login")
    assert (plan.login_hosts, plan.login_groups) == ({0: 0}, {0: 1})


async def test_a_log_in_has_a_group_of_its_own_beside_targets_of_its_name(tmp_path: Path) -> None:
    """Its failures can be told apart from those of the same request later."""
    (tmp_path / "login.txt").write_text("POST /login\n")
    (tmp_path / "mix.txt").write_text("POST /login\n/a\n")
    options = {"login": str(tmp_path / "login.txt"), "targets": str(tmp_path / "mix.txt")}
    (tmp_path / "requests").mkdir()

    _, plan = await prepare("http://127.0.0.1:9/", configure_load(options), tmp_path / "requests")

    assert set(plan.groups[:2]) == {"GET /a", "POST /login"}
    assert plan.groups[2:] == ("POST /login (log-in)",)
    assert plan.login_groups == {0: 2}
