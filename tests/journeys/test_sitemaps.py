"""Sitemaps as seeds, as a user types them, against real servers on loopback: in crawls and in fetches."""

import gzip
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from support.commands import crawler, program
from support.crawls import records, rejected, urls
from support.siteserver import HandMadeSite

DAY = "2024-05-01"
ATOM = "<feed><link href='/'/><entry><link href='/atom'/><updated>2024-05-01T12:00:00+02:00</updated></entry></feed>"
RSS = (
    "<rss><channel><link>/</link><item><link>/rss</link><pubDate>Wed, 01 May 2024 12:00:00 GMT</pubDate></item>"
    "</channel></rss>"
)


def urlset(site: HandMadeSite, *urls: str) -> bytes:
    """A sitemap of these pages, all of one day; a path is one of this site."""
    entries = (f"<url><loc>{whole(site, url)}</loc><lastmod>{DAY}</lastmod></url>" for url in urls)
    return f"<urlset>{''.join(entries)}</urlset>".encode()


def index(site: HandMadeSite, *urls: str) -> bytes:
    """A sitemap of these sitemaps; a path is one of this site."""
    entries = (f"<sitemap><loc>{whole(site, url)}</loc></sitemap>" for url in urls)
    return f"<sitemapindex>{''.join(entries)}</sitemapindex>".encode()


def whole(site: HandMadeSite, url: str) -> str:
    """The URL of a path."""
    return site.url(url) if url.startswith("/") else url


def skipped(folder: Path) -> dict[str, int]:
    """Return the number of URLs that were not asked for, by reason."""
    found: dict[str, int] = json.loads((folder / "summary.json").read_bytes())["skipped"]
    return found


def paths(folder: Path, site: HandMadeSite) -> set[str]:
    """The paths in the output, each of which has one line there."""
    found = urls(folder)
    assert set(found.values()) <= {1}
    return {url.removeprefix(site.url("")) for url in found}


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """An index of a zipped sitemap, a text, two feeds and itself; the pages link to a page that none of them lists."""
    async with HandMadeSite() as served:
        served.add_page("/index", index(served, "/zip.xml.gz", "/text", "/rss.xml", "/atom.xml", "/index"))
        served.add_page(
            "/zip.xml.gz", gzip.compress(urlset(served, "/zip", "/moved", "/gone")), content_type="image/png"
        )
        served.add_page("/text", f"{served.url('/line')}\n", content_type="text/plain")
        served.add_page("/rss.xml", RSS, content_type="application/rss+xml")
        served.add_page("/atom.xml", ATOM, content_type="application/atom+xml")
        for path in ("/zip", "/line", "/rss", "/atom"):
            served.add_page(path, links=["/linked"])
        served.add_page("/moved", location="/landed", status=301)
        served.add_page("/landed", "here")
        served.add_page("/linked", "linked")
        served.add_page("/", "front")
        yield served


SITEMAPS = {"/index", "/zip.xml.gz", "/text", "/rss.xml", "/atom.xml"}
PAGES = {"/zip", "/moved", "/landed", "/gone", "/line", "/rss", "/atom"}


async def test_a_fetch_of_a_sitemap_is_what_it_lists(tmp_path: Path, site: HandMadeSite) -> None:
    """Every sitemap and every page is one line, with its date; the pages' links are not followed."""
    code = await crawler("fetch", "--sitemap", site.url("/index"), "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert paths(tmp_path / "out", site) == SITEMAPS | PAGES
    dates = {str(line["url"]).removeprefix(site.url("")): line["lastmod"] for line in records(tmp_path / "out")}
    assert dates == {
        **dict.fromkeys(SITEMAPS | PAGES),
        **dict.fromkeys(("/zip", "/moved", "/gone"), DAY),
        "/rss": "2024-05-01T12:00:00Z",
        "/atom": "2024-05-01T10:00:00Z",
    }
    assert await crawler("verify", tmp_path / "out") == 0


async def test_a_crawl_of_a_sitemap_follows_the_links_of_its_pages(tmp_path: Path, site: HandMadeSite) -> None:
    """The pages that are listed are where it begins."""
    code = await crawler("crawl", "--sitemap", site.url("/index"), "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert paths(tmp_path / "out", site) == SITEMAPS | PAGES | {"/linked", "/"}
    depths = {str(line["url"]).removeprefix(site.url("")): line["depth"] for line in records(tmp_path / "out")}
    assert depths == {**dict.fromkeys(SITEMAPS | PAGES, 0), **dict.fromkeys(("/linked", "/"), 1)}
    assert await crawler("verify", tmp_path / "out") == 0


async def test_a_list_may_hold_sitemaps(tmp_path: Path, site: HandMadeSite) -> None:
    """A line `Sitemap: URL` among URLs; the flag adds one more, and a sitemap that is listed twice is a duplicate."""
    listed, out = tmp_path / "urls.txt", tmp_path / "out"
    listed.write_text(f"{site.url('/landed')}\nSitemap: {site.url('/text')}\nSitemap: /text\n", "utf-8")

    code = await crawler("fetch", listed, "--sitemap", site.url("/text"), "-o", out, "--quiet")

    assert code == 0
    assert paths(out, site) == {"/landed", "/text", "/line"}
    assert [(line["line"], line["reason"]) for line in rejected(out)] == [(3, "relative_url"), (4, "duplicate")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sitemap", "sitemap.xml"), "no http:// or https:// in front"),
        (("--sitemap", "ftp://127.0.0.1/"), "only http and https are fetched"),
        (("--sitemap", "http://u:hunter2@127.0.0.1/"), "give the password with --user"),
        (("--discover-sitemaps", "--no-robots", "http://127.0.0.1/"), "give one of them"),
    ],
)
async def test_a_sitemap_that_cannot_be_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """Before anything is made."""
    assert await crawler("crawl", *arguments, "-o", tmp_path / "out") == 2

    assert message in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


async def test_sitemaps_count_among_the_pages(tmp_path: Path, site: HandMadeSite) -> None:
    """--max-pages is the number of lines, whatever they are."""
    await crawler("crawl", "--sitemap", site.url("/index"), "-o", tmp_path / "out", "--quiet", "--max-pages", 3)

    assert len(records(tmp_path / "out")) == 3
    assert "/index" in paths(tmp_path / "out", site)


# Found in robots.txt


async def test_sitemaps_are_found_in_robots_txt(tmp_path: Path, site: HandMadeSite) -> None:
    """Relative ones, too; what is no URL is left out."""
    site.add_page("/robots.txt", "Sitemap: /index\nSitemap: mailto:x\n", content_type="text/plain")

    code = await crawler("crawl", site.url("/landed"), "--discover-sitemaps", "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert paths(tmp_path / "out", site) == SITEMAPS | PAGES | {"/linked", "/"}


async def test_robots_txt_is_not_looked_into_unasked(tmp_path: Path, site: HandMadeSite) -> None:
    """Without the option its sitemaps are left alone."""
    site.add_page("/robots.txt", "Sitemap: /index\n", content_type="text/plain")

    await crawler("crawl", site.url("/landed"), "-o", tmp_path / "out", "--quiet")

    assert paths(tmp_path / "out", site) == {"/landed"}


async def test_a_sitemap_that_robots_txt_forbids_is_not_read(tmp_path: Path, site: HandMadeSite) -> None:
    """Nor is a page that a sitemap lists."""
    site.add_page("/robots.txt", "User-agent: *\nDisallow: /zip\nSitemap: /index\n", content_type="text/plain")

    await crawler("crawl", site.url("/landed"), "--discover-sitemaps", "-o", tmp_path / "out", "--quiet")

    assert paths(tmp_path / "out", site) == {
        *SITEMAPS - {"/zip.xml.gz"},
        "/landed",
        "/line",
        "/rss",
        "/atom",
        "/linked",
        "/",
    }
    assert skipped(tmp_path / "out") == {"robots_denied": 1}


async def test_a_resumed_crawl_knows_what_was_found_in_robots_txt(tmp_path: Path, site: HandMadeSite) -> None:
    """Also when nothing but the robots.txt was read before."""
    site.add_page("/robots.txt", "Sitemap: /index\n", content_type="text/plain")
    out = tmp_path / "out"
    await crawler("crawl", site.url("/landed"), "--discover-sitemaps", "-o", out, "--quiet", "--max-pages", 1)

    await crawler("resume", out, "--quiet", "--max-pages", 100)

    assert paths(out, site) == SITEMAPS | PAGES | {"/linked", "/"}
    assert site.hits("/robots.txt") == 1


# Other hosts


async def test_what_a_sitemap_lists_elsewhere_is_out_of_scope(tmp_path: Path, site: HandMadeSite) -> None:
    """A sitemap in it is read wherever it lies, and its pages of our host are fetched."""
    async with HandMadeSite() as other:
        other.add_page("/theirs", urlset(other, other.url("/c"), site.url("/linked")))
        site.add_page("/map", urlset(site, "/landed", other.url("/a"), other.url("/b")))
        site.add_page("/all", index(site, "/map", other.url("/theirs")))
        arguments = ("--sitemap", site.url("/all"), "-o", tmp_path / "out", "--quiet", "--allow-net", "127.0.0.0/8")

        code = await crawler("crawl", *arguments)

        assert code == 0
        assert paths(tmp_path / "out", site) == {"/all", "/map", "/landed", "/linked", other.url("/theirs")}
        assert skipped(tmp_path / "out") == {"out_of_scope": 3}
        assert other.targets == ["/robots.txt", "/theirs"]


async def test_the_sitemaps_of_a_host_out_of_scope_are_not_looked_for(tmp_path: Path, site: HandMadeSite) -> None:
    """A host's other sitemaps are not ours because one of ours lies there."""
    async with HandMadeSite() as other:
        other.add_page("/robots.txt", f"Sitemap: {other.url('/more')}\n", content_type="text/plain")
        other.add_page("/theirs", urlset(other, site.url("/linked")))
        site.add_page("/robots.txt", f"Sitemap: {other.url('/theirs')}\n", content_type="text/plain")
        options = ("--discover-sitemaps", "-o", tmp_path / "out", "--quiet", "--allow-net", "127.0.0.0/8")

        await crawler("crawl", site.url("/landed"), *options)

        assert other.targets == ["/robots.txt", "/theirs"]
        assert paths(tmp_path / "out", site) == {"/landed", "/linked", other.url("/theirs")}


async def test_a_sitemap_leads_into_no_private_network(tmp_path: Path, site: HandMadeSite) -> None:
    """The user did not name what a robots.txt names: without --allow-net the address is refused."""
    async with HandMadeSite() as other:
        other.add_page("/theirs", urlset(other, site.url("/linked")))
        site.add_page("/robots.txt", f"Sitemap: {other.url('/theirs')}\n", content_type="text/plain")

        options = ("--discover-sitemaps", "-o", tmp_path / "out", "--quiet", "--retries", 0)

        code = await crawler("crawl", site.url("/landed"), *options)

        assert code == 1
        assert other.targets == []
        reasons = {line["url"]: line["reason"] for line in records(tmp_path / "out")}
        assert reasons == {site.url("/landed"): "ok", other.url("/theirs"): "blocked_address"}


# Loops and bombs


async def test_sitemaps_that_list_one_another_are_read_once(tmp_path: Path, site: HandMadeSite) -> None:
    """A loop ends where it began."""
    site.add_page("/a", index(site, "/a", "/b"))
    site.add_page("/b", index(site, "/a", "/b", "/text"))

    await crawler("fetch", "--sitemap", site.url("/a"), "-o", tmp_path / "out", "--quiet")

    assert paths(tmp_path / "out", site) == {"/a", "/b", "/text", "/line"}


async def test_sitemaps_without_end_come_to_one(tmp_path: Path, site: HandMadeSite) -> None:
    """Each lists the next: five hops are followed."""
    for number in range(20):
        site.add_page(f"/{number}", index(site, f"/{number + 1}"))

    await crawler("fetch", "--sitemap", site.url("/0"), "-o", tmp_path / "out", "--quiet")

    assert paths(tmp_path / "out", site) == {f"/{number}" for number in range(6)}
    assert skipped(tmp_path / "out") == {"sitemap_limit": 1}


async def test_a_sitemap_that_is_broken_or_none_is_told(tmp_path: Path, site: HandMadeSite) -> None:
    """All that can be read is fetched; the summary counts what was not, names it, and the code is 1."""
    entries = "".join(f"<url><loc>{site.url('/landed')}{query}</loc></url>" for query in ("?a=1&b=2", "", "?c=1"))
    site.add_page("/broken.xml", f"Warning: x\n<urlset>{entries}</urlset>", content_type="text/xml")
    site.add_page("/none.xml", "<!doctype html><title>Not found</title>")
    asked = [f"--sitemap={site.url(path)}" for path in ("/broken.xml", "/none.xml")]

    code = await crawler("fetch", *asked, "-o", tmp_path / "out", "--quiet")

    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert code == 1
    assert summary["unread"] == {"not_a_sitemap": 1, "xml_error": 1}
    assert {reason: summary["examples"][reason] for reason in summary["unread"]} == {
        "not_a_sitemap": [site.url("/none.xml")],
        "xml_error": [site.url("/broken.xml")],
    }
    assert sorted(site.targets) == sorted(
        ["/broken.xml", "/landed", "/landed?a=1&b=2", "/landed?c=1", "/none.xml", "/robots.txt"]
    )


async def test_a_lost_entry_and_a_lost_child_are_told(tmp_path: Path, site: HandMadeSite) -> None:
    """The sitemap's line names one, the summary counts them, and the code is 1."""
    site.add_page("/all", index(site, "/some", "/none"))
    site.add_page("/some", f"{site.url('/landed')}\n{site.url('/x')}\tnote\n", content_type="text/plain")

    code = await crawler("fetch", "--sitemap", site.url("/all"), "-o", tmp_path / "out", "--quiet")

    lines = {str(line["url"]).removeprefix(site.url("")): line for line in records(tmp_path / "out")}
    assert (code, {path: line["reason"] for path, line in lines.items()}) == (
        1,
        {"/all": "ok", "/some": "bad_entries", "/landed": "ok", "/none": "not_a_sitemap"},
    )
    assert (lines["/none"]["status"], lines["/none"]["outcome"]) == (404, "done")
    assert lines["/some"]["error"] == f"1 of its entries is no URL, such as '{site.url('/x')}\\u0009note'"
    assert json.loads((tmp_path / "out" / "summary.json").read_bytes())["unread"] == {
        "bad_entries": 1,
        "not_a_sitemap": 1,
    }


async def test_a_gzip_bomb_is_a_line_like_any_other(tmp_path: Path, site: HandMadeSite) -> None:
    """10 MB that unpack to more than 2 GB: what comes before the limit is followed."""
    head = f"<urlset><url><loc>{site.url('/landed')}</loc></url>".encode()
    member = gzip.compress(b" " * (256 * 1024 * 1024), 1)
    bomb = gzip.compress(head) + member * (10_000_000 // len(member) + 1)
    site.add_page("/bomb.xml.gz", bomb, content_type="application/gzip")

    code = await crawler("fetch", "--sitemap", site.url("/bomb.xml.gz"), "-o", tmp_path / "out", "--quiet")

    assert code == 1
    reasons = {str(line["url"]).removeprefix(site.url("")): line["reason"] for line in records(tmp_path / "out")}
    assert reasons == {"/bomb.xml.gz": "decoded_limit", "/landed": "ok"}


async def test_of_60_000_entries_50_000_are_taken(tmp_path: Path, site: HandMadeSite) -> None:
    """The line says that there are more."""
    site.add_page("/long", urlset(site, *(f"/{number}" for number in range(60_000))))

    await crawler("fetch", "--sitemap", site.url("/long"), "-o", tmp_path / "out", "--quiet", "--max-pages", 1)

    (line,) = records(tmp_path / "out")
    account = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert (line["reason"], line["links"]) == ("link_limit", 50_000)
    assert (account["discovered"], account["pending"]) == (50_001, 50_000)


# Kills


@pytest.mark.parametrize("after", [1, 2, 3, 30])
@pytest.mark.parametrize("command", [["fetch", "--sitemap"], ["crawl", "--discover-sitemaps"]])
async def test_a_kill_among_sitemaps_loses_nothing(tmp_path: Path, command: Iterable[str], after: int) -> None:
    """Killed at its first requests and in the middle, then resumed: every page is there once."""
    out = tmp_path / "out"
    async with HandMadeSite() as site:
        site.add_page("/robots.txt", "Sitemap: /index\n", content_type="text/plain")
        site.add_page("/index", index(site, "/1", "/2"))
        for part in (1, 2):
            site.add_page(f"/{part}", urlset(site, *(f"/{part}/{number}" for number in range(50))))
            for number in range(50):
                site.add_page(f"/{part}/{number}", "page", delay=0.005)

        async with program(*command, site.url("/index"), "-o", out, "--quiet", "--concurrency", 4):
            await site.asked(after)
        code = await crawler("resume", out, "--quiet")

        assert code == 0
        assert paths(out, site) == {"/index", "/1", "/2", *(f"/{part}/{n}" for part in (1, 2) for n in range(50))}
        assert await crawler("verify", out) == 0


# Why


async def test_why_names_the_sitemap(tmp_path: Path, site: HandMadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a page the one that lists it, of a sitemap its index, of the first the robots.txt."""
    site.add_page("/robots.txt", "Sitemap: /index\n", content_type="text/plain")
    options = ("--discover-sitemaps", "--include", "/l", "-o", tmp_path / "out", "--quiet")
    await crawler("crawl", site.url("/landed"), *options)
    told = {}
    for path in ("/line", "/text", "/index", "/zip"):
        await crawler("why", site.url(path), tmp_path / "out", "--json")
        steps = json.loads(capfd.readouterr().out)["steps"]
        told[path] = {step["question"]: step["answer"] for step in steps}

    assert [told[path]["found"] for path in ("/line", "/text", "/index")] == [
        f"in the sitemap {site.url('/text')}",
        f"in the sitemap {site.url('/index')}",
        "in robots.txt, which names it as a sitemap",
    ]
    assert told["/text"]["scope"] == "a sitemap is always read"
    assert told["/text"]["patterns"] == "no --exclude matches, and a sitemap need not match --include"
    assert told["/zip"]["patterns"] == "no --include matches: '/l'"
    assert told["/line"]["depth"] == told["/text"]["depth"] == "no link from a seed; there is no --max-depth"
