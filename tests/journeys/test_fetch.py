"""Whole runs of `crawler fetch`, `resume` and `verify`, as a user types them, against real servers on loopback."""

import asyncio
import io
import json
import random
import socket
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.commands import add_pages, crawler, program, write_list
from support.crawls import records, rejected, urls
from support.siteserver import HandMadeSite

FIELDS = (
    *("url", "outcome", "status", "reason", "content_type", "charset", "bytes", "sha256", "title", "depth", "referrer"),
    *("lastmod", "redirect_to", "links", "robots", "attempts", "fetched_at", "timing", "warc", "file", "data", "error"),
)


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """Twenty pages, /0 to /19."""
    async with HandMadeSite() as served:
        add_pages(served, 20)
        yield served


@pytest.fixture
def listed(tmp_path: Path, site: HandMadeSite) -> Path:
    """A list of its twenty URLs."""
    return write_list(tmp_path / "urls.txt", site, 20)


@contextmanager
def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> Iterator[None]:
    """These bytes are what `-` reads."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        yield


def summary(folder: Path) -> dict[str, object]:
    """Return the content of `summary.json`."""
    found: dict[str, object] = json.loads((folder / "summary.json").read_bytes())
    return found


def is_copy(one: Path, other: Path) -> bool:
    """Return whether two files have the same content."""
    return one.read_bytes() == other.read_bytes()


def append(path: Path, text: str) -> None:
    """Make a list longer."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


# What a run leaves, and what it says


async def test_a_list_becomes_a_folder(tmp_path: Path, site: HandMadeSite, listed: Path) -> None:
    """Every URL of a list is one line with the promised fields in their order, and the audit finds nothing wrong."""
    out = tmp_path / "out"

    code = await crawler("fetch", listed, "-o", out, "--concurrency", 3)

    assert code == 0
    assert urls(out) == {site.url(f"/{number}"): 1 for number in range(20)}
    assert {tuple(record) for record in records(out)} == {FIELDS}
    assert is_copy(out / "seeds.txt", listed)
    assert "concurrency = 3\n" in (out / "config.toml").read_text("utf-8")
    assert sorted(path.name for path in out.iterdir()) == [
        *("config.toml", "crawler.log", "frontier.board", "frontier.sqlite"),
        *("pages.jsonl", "rejected.jsonl", "seeds.txt", "summary.json"),
    ]
    assert await crawler("verify", out) == 0


async def test_the_terminal_shows_what_summary_json_holds(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The figures shown at the end are those of summary.json, and they add up."""
    site.add_page("/robots.txt", "User-agent: *\nDisallow: /7\n", content_type="text/plain")
    out = tmp_path / "out"
    with refusing_port() as port:
        append(listed, f"http://127.0.0.1:{port}/\nnonsense\n\n# comment\n")

        code = await crawler("fetch", listed, "-o", out, "--retries", 0)

    stored, shown = summary(out), capfd.readouterr().err
    assert code == 1
    assert stored["skipped"] == {"robots_denied": 1}
    assert stored["failures"] == {"connect_refused": 1}
    assert (stored["discovered"], stored["done"], stored["failed"], stored["pending"]) == (21, 19, 1, 0)
    assert stored["lines"] == {"read": 24, "url": 21, "relative_url": 1, "blank": 1, "comment": 1}
    assert stored["bytes"] == sum(int(str(record["bytes"] or 0)) for record in records(out))
    assert "complete: 21 URLs = 19 done + 1 failed + 1 skipped + 0 pending" in shown
    assert "status   200 19\n" in shown
    assert "failed   connect_refused 1\n" in shown
    assert "skipped  robots_denied 1\n" in shown
    assert "list     24 lines = 21 url + 1 blank + 1 comment + 1 relative_url; see rejected.jsonl\n" in shown
    assert f"{stored['pages_per_second']} pages/s" in shown


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that nobody else gets and where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


async def test_a_list_without_a_url_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty list is no error, but whoever expected pages is told."""
    (tmp_path / "empty.txt").touch()

    code = await crawler("fetch", tmp_path / "empty.txt", "-o", tmp_path / "out")

    assert code == 0
    assert "nothing to fetch" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("index.html\nnonsense\n# comment\n", "none of the 3 lines is a URL"),
        ("nonsense\n", "the only line is no URL"),
    ],
)
async def test_a_list_of_anything_but_urls_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    """The user of a wrong file is told so, quiet or not, and where each line's reason stands."""
    (tmp_path / "wrong.txt").write_text(content, "utf-8")
    out = tmp_path / "out"

    code = await crawler("fetch", tmp_path / "wrong.txt", "-o", out, "--quiet")

    assert code == 2
    assert capfd.readouterr().err == f"crawler: {message}: see {out / 'rejected.jsonl'}\n"
    assert rejected(out)


async def test_several_sources_name_their_lines(tmp_path: Path, site: HandMadeSite) -> None:
    """With several lists and a URL, a rejected line says which source it stands in, and where."""
    (tmp_path / "one.txt").write_text(f"{site.url('/0')}\nnonsense\n{site.url('/1')}", "utf-8")  # no last newline
    (tmp_path / "two.txt").write_text(f"\n{site.url('/1')}\n", "utf-8")
    out = tmp_path / "out"

    code = await crawler("fetch", tmp_path / "one.txt", site.url("/2"), tmp_path / "two.txt", "-o", out)

    assert code == 0
    assert urls(out) == {site.url(path): 1 for path in ("/0", "/1", "/2")}
    found = [(line["line"], line["source"], line["source_line"], line["reason"]) for line in rejected(out)]
    assert found == [
        (2, str(tmp_path / "one.txt"), 2, "relative_url"),
        (6, str(tmp_path / "two.txt"), 2, "duplicate"),
    ]


async def test_standard_input_is_a_list(tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads standard input, which is kept for a resume."""
    content = f"{site.url('/0')}\n{site.url('/1')}".encode()

    with standard_input(monkeypatch, content):
        code = await crawler("fetch", "-", "-o", tmp_path / "out")

    assert code == 0
    assert set(urls(tmp_path / "out")) == {site.url("/0"), site.url("/1")}
    assert (tmp_path / "out" / "seeds.txt").read_bytes() == content + b"\n"


async def test_runs_without_a_name_never_meet(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --output each run has a folder of its own, named after what is fetched, however quickly they follow."""
    monkeypatch.chdir(tmp_path)

    codes = [await crawler("fetch", site.url("/0"), "--quiet") for _ in range(4)]

    folders = [path.name for path in (tmp_path / "output").iterdir()]
    assert codes == [0] * 4
    assert len(folders) == 4
    assert all("-127.0.0.1" in name for name in folders)


async def test_save_to_stdout_is_lines_and_nothing_else(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`--save -` writes one line of JSON per URL to standard output, and no pages.jsonl."""
    code = await crawler("fetch", listed, "-o", tmp_path / "out", "--save", "-")

    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert code == 0
    assert {line["url"] for line in lines} == {site.url(f"/{number}") for number in range(20)}
    assert len(lines) == 20
    assert not (tmp_path / "out" / "pages.jsonl").exists()
    assert await crawler("verify", tmp_path / "out") == 0


async def test_a_resume_to_stdout_warns_of_repeats(
    tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A pipe cannot be rewound: a resume says that lines may come again, and gives the rest."""
    await crawler("fetch", listed, "-o", tmp_path / "out", "--save", "-", "--max-pages", 5)
    first = capfd.readouterr()

    code = await crawler("resume", tmp_path / "out", "--max-pages", 20)

    second = capfd.readouterr()
    assert code == 0
    assert (len(first.out.splitlines()), len(second.out.splitlines())) == (5, 15)
    assert "may come again" in second.err
    assert "may come again" not in first.err


async def test_json_prints_the_summary(tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`--json --quiet` prints summary.json on standard output, and nothing anywhere else."""
    code = await crawler("fetch", listed, "-o", tmp_path / "out", "--json", "--quiet")

    printed = capfd.readouterr()
    assert code == 0
    assert json.loads(printed.out) == summary(tmp_path / "out")
    assert not printed.err


async def test_quiet_is_silent(tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`--quiet` shows nothing at all when nothing is wrong."""
    code = await crawler("fetch", listed, "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert capfd.readouterr() == ("", "")


# Dirty lists


@dataclass(frozen=True, slots=True)
class Dirt:
    """A list, and what must become of it: URLs that are fetched, line numbers with reasons, and the counts."""

    content: bytes
    urls: frozenset[str]
    rejected: dict[int, str]
    counts: dict[str, int]


ODD_LINES: Sequence[tuple[bytes, str]] = (
    (b"", "blank"),
    (b" \t ", "blank"),
    (b"# http://127.0.0.1/", "comment"),
    (b"ftp://127.0.0.1/x", "unsupported_scheme"),
    (b"javascript:alert(1)", "unsupported_scheme"),
    (b"mailto:a@b.example", "unsupported_scheme"),
    (b"index.html", "relative_url"),
    (b"/x/y", "relative_url"),
    (b"1,example.com", "relative_url"),
    (b"http://", "not_a_url"),
    (b"http://[::1", "not_a_url"),
    (b"http://127.0.0.1:99999/", "not_a_url"),
    (b"http://two words/", "not_a_url"),
    (b"http://bell\x07.example/", "not_a_url"),
    ("http://xn--a.\u00e4/".encode(), "not_a_url"),
    ("http://\ufffd.example/".encode(), "not_a_url"),
    (b"http://127.0.0.1/\xff\xfe", "not_utf8"),
    (b"http://127.0.0.1:22/", "blocked_port"),
    (b"http://me:secret@127.0.0.1/", "credentials_in_url"),
    (b"http://127.0.0.1/" + b"x" * 9_000, "url_too_long"),
)


def dirty_list(base: str, lines: int, pages: int) -> Dirt:
    """A list of so many lines in which so many pages hide, each under one of its spellings, some of them repeated."""
    chance = random.Random(7)  # noqa: S311 - a seed repeats a failure
    spellings: tuple[Callable[[str], bytes], ...] = (
        lambda path: f"{base}{path}".encode(),
        lambda path: f"  {base.replace('http', 'HTTP')}{path}\t".encode(),
        lambda path: f"{base}/x/..{path}#fragment".encode(),
    )
    content, found, rejections, counts = io.BytesIO(), set[str](), dict[int, str](), dict[str, int]()
    for number in range(1, lines + 1):
        if number == lines // 2:
            raw, kind = b"http://127.0.0.1/" + b"y" * 1_000_000, "line_too_long"
        elif chance.random() < 0.1:
            path = f"/p{chance.randrange(pages)}"
            raw = chance.choice(spellings)(path)
            kind = "duplicate" if base + path in found else "url"
            found.add(base + path)
        else:
            raw, kind = chance.choice(ODD_LINES)
        content.write(raw + chance.choice((b"\n", b"\r\n")))
        counts[kind] = counts.get(kind, 0) + 1
        if kind not in {"url", "blank", "comment"}:
            rejections[number] = kind
    return Dirt(content.getvalue(), frozenset(found), rejections, {"read": lines, **counts})


def assert_accounted_for(dirt: Dirt, out: Path) -> None:
    """Every line of the list ended as it must, by number, and the sums say the same."""
    assert urls(out) == dict.fromkeys(dirt.urls, 1)
    assert {line["line"]: line["reason"] for line in rejected(out)} == dirt.rejected
    assert summary(out)["lines"] == dirt.counts
    assert summary(out)["done"] == len(dirt.urls)
    assert summary(out)["discovered"] == len(dirt.urls)


async def test_every_line_of_a_dirty_file_is_accounted_for(tmp_path: Path, site: HandMadeSite) -> None:
    """Of 10,000 lines with every kind of dirt, each ends as a URL, a duplicate, a blank or a numbered refusal."""
    dirt = dirty_list(site.url(""), 10_000, 500)
    (tmp_path / "dirty.txt").write_bytes(dirt.content)

    code = await crawler("fetch", tmp_path / "dirty.txt", "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert_accounted_for(dirt, tmp_path / "out")
    assert b"secret" not in (tmp_path / "out" / "rejected.jsonl").read_bytes()


async def test_every_line_of_dirty_input_is_accounted_for(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same from standard input."""
    dirt = dirty_list(site.url(""), 10_000, 500)

    with standard_input(monkeypatch, dirt.content):
        code = await crawler("fetch", "-", "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert_accounted_for(dirt, tmp_path / "out")


async def test_a_dirty_list_survives_kills(tmp_path: Path, site: HandMadeSite) -> None:
    """Read from standard input, killed at its first request and in the middle: nothing is lost or counted twice."""
    dirt = dirty_list(site.url(""), 10_000, 500)
    out = tmp_path / "out"

    async with process("fetch", "-", "-o", out, "--quiet", "--concurrency", 4) as first:
        assert first.stdin is not None
        first.stdin.write(dirt.content)
        first.stdin.close()
        await site.asked(1)
    async with process("resume", out, "--quiet"):
        await site.asked(len(dirt.urls) // 2)
    code = await crawler("resume", out, "--quiet")

    assert code == 0
    assert_accounted_for(dirt, out)
    assert await crawler("verify", out) == 0


@asynccontextmanager
async def process(*arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program as a process of its own, killed where the block ends."""
    async with program(*arguments) as child:
        yield child
        child.kill()
        assert await child.wait() == -9


async def test_hosts_in_any_script_are_fetched(tmp_path: Path, site: HandMadeSite) -> None:
    """An internationalised host is asked for by its ASCII name; spaces and controls in a path are escaped."""
    lines = [f"http://MÜNCHEN.localhost:{site.port}/1 2", f"http://münchen.localhost:{site.port}/a\x01b"]
    (tmp_path / "idn.txt").write_text("\n".join(lines), "utf-8")

    code = await crawler("fetch", tmp_path / "idn.txt", "-o", tmp_path / "out", "--quiet", "--no-robots")

    assert code == 0
    assert sorted(site.targets) == ["/1%202", "/a%01b"]
    assert {asked.header("host") for asked in site.requests} == {f"xn--mnchen-3ya.localhost:{site.port}"}


# Secrets

SECRETS = {
    "user": (("--user", "bob:hunter2"), "Authorization", "Basic Ym9iOmh1bnRlcjI="),
    "bearer": (("--bearer", "hunter2"), "Authorization", "Bearer hunter2"),
    "header": (("--header", "Authorization: hunter2"), "Authorization", "hunter2"),
    "proxy": (("--proxy", "http://bob:hunter2@127.0.0.1:{port}"), "Proxy-Authorization", "Basic Ym9iOmh1bnRlcjI="),
}


@pytest.mark.parametrize("name", SECRETS)
async def test_a_typed_secret_is_sent_and_never_stored(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """A secret goes to the named host and into no file; a resume asks for it again and sends it again."""
    (flag, value), header, sent = SECRETS[name]
    option = (flag, value.format(port=site.port))
    out = tmp_path / "out"

    codes = [await crawler("fetch", listed, "-o", out, "--max-pages", 10, *option)]
    codes.append(await crawler("resume", out, "--max-pages", 20))
    asked_for = capfd.readouterr().err
    codes.append(await crawler("resume", out, "--max-pages", 20, *option))

    assert codes == [0, 2, 0]
    assert f"give {flag} " in asked_for
    assert len(records(out)) == 20
    assert {asked.header(header) for asked in site.requests} == {sent}
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    assert [name for name, content in kept.items() if b"hunter2" in content or b"Ym9iOmh1bnRlcjI" in content] == []
    assert "hunter2" not in asked_for + capfd.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "sent"),
    [
        ("--user", "env:SECRET", "Basic Ym9iOmh1bnRlcjI="),
        ("--user", "file:{file}", "Basic Ym9iOmh1bnRlcjI="),
        ("--bearer", "env:SECRET", "Bearer bob:hunter2"),
        ("--header", "Authorization: env:SECRET", "bob:hunter2"),
    ],
)
async def test_a_reference_to_a_secret_is_stored_as_such(
    tmp_path: Path,
    site: HandMadeSite,
    listed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    flag: str,
    value: str,
    sent: str,
) -> None:
    """The place of the secret is stored, the secret is not: a resume looks it up again, or says what is missing."""
    (tmp_path / "secret").write_text("bob:hunter2\n", "utf-8")
    monkeypatch.setenv("SECRET", "bob:hunter2")
    out = tmp_path / "out"

    codes = [
        await crawler(
            "fetch", listed, "-o", out, "--max-pages", 10, flag, value.format(file=tmp_path / "secret"), "--quiet"
        )
    ]
    codes.append(await crawler("resume", out, "--max-pages", 20, "--quiet"))
    monkeypatch.delenv("SECRET")
    (tmp_path / "secret").unlink()
    codes.append(await crawler("resume", out))

    assert codes == [0, 0, 2]
    assert {asked.header("authorization") for asked in site.requests} == {sent}
    assert not any(b"hunter2" in path.read_bytes() for path in out.iterdir())
    printed = capfd.readouterr().err
    assert len(printed.splitlines()) == 1
    assert "SECRET is not set" in printed or f"{tmp_path / 'secret'}: " in printed


async def test_a_secret_is_not_carried_to_another_host(tmp_path: Path, site: HandMadeSite) -> None:
    """A redirect from the named host to another one is followed without the user's headers."""
    async with HandMadeSite(address="127.0.0.2") as other:
        site.add_page("/away", location=other.url("/"), status=302)
        options = ("--user", "bob:hunter2", "--header", "X-Key: hunter2", "--allow-net", "127.0.0.0/8")

        code = await crawler("fetch", site.url("/away"), "-o", tmp_path / "out", *options)

    assert code == 0
    assert other.hits("/") == 1
    assert not any("hunter2" in str(asked.headers) or asked.header("authorization") for asked in other.requests)
    assert {asked.header("x-key") for asked in site.requests} == {"hunter2"}


# Resume


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


# Verify


def double_a_line(pages: bytes) -> bytes:
    """The first line in the place of the second."""
    first, _, *rest = pages.splitlines(keepends=True)
    return b"".join([first, first, *rest])


TAMPERED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another path": (lambda pages: pages.replace(b'/19"', b'/1X"', 1), "not in the frontier"),
    "another scheme": (lambda pages: pages.replace(b'"http:', b'"hptp:', 1), "not a URL"),
    "no UTF-8": (lambda pages: pages.replace(b'"http:', b'"\xfftp:', 1), "not a record"),
    "another outcome": (lambda pages: pages.replace(b'"done"', b'"fail"', 1), "another outcome"),
    "a line doubled": (double_a_line, "twice in the output"),
    "a line added": (lambda pages: pages + b"{}\n", "bytes after the last commit"),
    "a line removed": (lambda pages: pages[pages.index(b"\n") + 1 :], "lines are missing"),
    "a torn tail": (lambda pages: pages[:-9], "cut off"),
    "nothing left": (lambda _: b"", "0 lines, but 20 URLs are done or failed"),
}


@pytest.mark.parametrize("kind", TAMPERED)
async def test_verify_sees_what_was_tampered_with(
    tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    """The audit names any change in the output, and ends with 5."""
    tamper, finding = TAMPERED[kind]
    out = tmp_path / "out"
    await crawler("fetch", listed, "-o", out, "--quiet")
    pages = out / "pages.jsonl"
    assert await crawler("verify", out) == 0
    assert "clean: 20 lines of output\n" in capfd.readouterr().out

    pages.write_bytes(tamper(pages.read_bytes()))
    code = await crawler("verify", out)

    printed = capfd.readouterr()
    assert code == 5
    assert finding in printed.err
    assert printed.out.startswith("not clean: ")
