"""`crawler resume`, as a user types it, after whole runs against a real server on loopback."""

import tomllib
from pathlib import Path

import pytest

from support.commands import append, crawler, program, summary
from support.crawls import records, urls
from support.siteserver import HandMadeSite


async def test_a_finished_run_has_nothing_left(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Resuming a finished run says that it is, asks for nothing, writes nothing, and ends well."""
    out = tmp_path / "out"
    await crawler("fetch", listed, "-o", out)
    before, pages = len(site.requests), (out / "pages.jsonl").read_bytes()
    first = capfd.readouterr().err

    code = await crawler("resume", out)

    assert code == 0
    assert len(site.requests) == before
    assert (out / "pages.jsonl").read_bytes() == pages
    assert capfd.readouterr().err.count("already complete: nothing is left to fetch\n") == 1
    assert "already complete" not in first


@pytest.mark.parametrize("budget", ["--max-pages", "--max-pages-per-host"])
async def test_a_spent_budget_is_resumed_with_a_larger_one(
    tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str], budget: str
) -> None:
    """A budget ends the run early and in order; a larger one goes on, and with the same one nothing is left to do."""
    out = tmp_path / "out"

    codes = [await crawler("fetch", listed, "-o", out, budget, 5)]
    codes.append(await crawler("verify", out))
    (audited, early), stopped_by = capfd.readouterr(), [summary(out)["stopped_by"]]
    codes.append(await crawler("resume", out))
    lines = len(records(out))
    stopped_by.append(summary(out)["stopped_by"])
    codes.append(await crawler("resume", out, budget, 100))

    assert codes == [0, 0, 0, 0]
    assert f"stopped by {budget} 5: 20 URLs" in early
    assert f"go on with: crawler resume {out} {budget} N, N above 5)" in early
    assert audited == f"clean: 5 lines of output, 15 URLs pending (crawler resume {out} {budget} N, N above 5)\n"
    assert [*stopped_by, summary(out)["stopped_by"]] == [f"{budget} 5", f"{budget} 5", None]
    assert lines == 5
    assert len(records(out)) == 20
    assert max(urls(out).values()) == 1


async def test_what_a_resume_changes_stays_changed(tmp_path: Path, listed: Path) -> None:
    """Options given to a resume hold for the next one too; those that were not given stay as they were."""
    out = tmp_path / "out"
    await crawler("fetch", listed, "-o", out, "--max-pages", 5, "--retries", 1, "--quiet")

    await crawler("resume", out, "--max-pages", 8, "--concurrency", 2, "--quiet")
    await crawler("resume", out, "--delay", 0, "--quiet")

    options = tomllib.loads((out / "config.toml").read_text("utf-8"))
    assert (options["max-pages"], options["concurrency"], options["retries"], options["delay"]) == (8, 2, 1, 0)
    assert len(records(out)) == 8
    assert options["run"]["sources"] == [{"name": str(listed), "first-line": 1}]
    assert await crawler("verify", out) == 0


async def test_a_refused_resume_changes_no_option(tmp_path: Path, listed: Path) -> None:
    """A resume that cannot begin leaves the run's options as they were."""
    out = tmp_path / "out"
    await crawler("fetch", listed, "-o", out, "--max-pages", 5, "--quiet")
    before = (out / "config.toml").read_bytes()

    codes = [await crawler("resume", out, "--concurrency", 7, "--user", "a:b", "--bearer", "c")]
    append(out / "seeds.txt", "http://127.0.0.1:9999/\n")
    codes.append(await crawler("resume", out, "--concurrency", 7))

    assert codes == [2, 5]
    assert (out / "config.toml").read_bytes() == before


async def test_a_resume_says_what_it_sends(
    tmp_path: Path, listed: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A folder may come from elsewhere: which of the user's secrets it asks for is told before anything is sent."""
    monkeypatch.setenv("MY_KEY", "hunter2")
    out = tmp_path / "out"
    await crawler("fetch", listed, "-o", out, "--max-pages", 5, "--quiet", "--header", "X-Key: env:MY_KEY")

    await crawler("resume", out, "--max-pages", 6)

    first, *_ = capfd.readouterr().err.splitlines()
    assert first == "this run sends the value of $MY_KEY in header X-Key"


async def test_a_resume_names_the_code_that_it_calls(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A folder may come from elsewhere: which function it has called is told before that is even looked for."""
    (tmp_path / "empty.txt").touch()
    out = tmp_path / "out"
    await crawler("fetch", tmp_path / "empty.txt", "-o", out, "--quiet")
    config = out / "config.toml"
    config.write_text(f'extract = "missing:function"\n{config.read_text("utf-8")}', "utf-8")

    code = await crawler("resume", out)

    told, error = capfd.readouterr().err.splitlines()
    assert code == 2
    assert told == "this run calls extract = missing:function"
    assert "cannot be imported" in error


async def test_a_fault_of_a_flag_is_not_one_of_the_file(
    tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A bad flag of `resume` is refused as it is; a bad option in the run's config.toml, with the name of that file."""
    out = tmp_path / "out"
    await crawler("fetch", listed, "-o", out, "--max-pages", 5, "--quiet")
    config = out / "config.toml"

    await crawler("resume", out, "--concurrency", 0)
    config.write_text(f"rate = 0\n{config.read_text('utf-8')}", "utf-8")
    await crawler("resume", out)

    typed, stored = capfd.readouterr().err.splitlines()
    assert typed == "crawler: --concurrency: expected a whole number, 1 or more, got '0'"
    assert stored == f"crawler: {config}: --rate: expected a number above 0, got 0"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        *(
            ([f"--{name}", *value], f"--{name}: resume cannot change it; start a new run with it")
            for name, *value in (("robots",), ("save", "-"), ("max-body", "5"), ("user-agent", "x"), ("select", "a=b"))
        ),
        (["--no-robots"], "--robots: resume cannot change it"),
        (["-o", "x"], "No such option '-o'"),
    ],
)
async def test_what_judges_urls_stays_as_it_was(
    tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str], option: list[str], message: str
) -> None:
    """A resume takes no option that would make its output another than the run's."""
    await crawler("fetch", listed, "-o", tmp_path / "out", "--max-pages", 5, "--quiet")

    code = await crawler("resume", tmp_path / "out", *option)

    assert code == 2
    assert message in capfd.readouterr().err
    assert len(records(tmp_path / "out")) == 5


async def test_a_run_in_use_is_left_alone(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """While somebody works on a run, `resume` and `verify` end with 3, `fetch` with 2, and the run is not disturbed."""
    out = tmp_path / "out"
    site.add_page("/0", "slow", delay=1.5)
    async with program("fetch", listed, "-o", out, "--quiet") as running:
        await site.asked(21)

        before = (out / "config.toml").read_bytes()
        lines = (["resume", out], ["resume", out, "--retries", 0], ["verify", out], ["fetch", listed, "-o", out])
        codes = [await crawler(*line) for line in lines]

        assert codes == [3, 3, 3, 2]
        assert capfd.readouterr().err.count("another process works on this run") == 3
        assert (out / "config.toml").read_bytes() == before
        assert await running.wait() == 0
    assert len(records(out)) == 20
