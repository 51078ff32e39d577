"""`crawler crawl --check`, as a user types it: which links are broken, and where they stand."""

import json
from pathlib import Path

import pytest

from support.commands import crawler
from support.siteserver import HandMadeSite


async def check(folder: Path, site: HandMadeSite, *options: str) -> int:
    """The exit code of a check from the front page, carried out on a thread, so that the site can answer meanwhile."""
    return await crawler("crawl", site.url("/"), "--check", "-o", folder, "--workers", 0, "--quiet", *options)


def broken(folder: Path) -> list[tuple[object, ...]]:
    """Return the content of `broken.jsonl`."""
    lines = [json.loads(line) for line in (folder / "broken.jsonl").read_text("utf-8").splitlines()]
    return [(line["url"], line["status"], line["reason"], line["pages"]) for line in lines]


async def test_every_broken_link_is_listed_with_its_pages(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Also those behind redirects, what closes a circle, and what is no URL; each is printed, and the code is 1."""
    async with HandMadeSite() as site:
        site.add_page("/", links=["/a", "/b", "/missing", "http://[bad", "mailto:x@y", "http://elsewhere.example/"])
        site.add_page("/a", links=["/moved", "/missing#part", "http://[bad", "http://", "//127.0.0.1:25/"])
        site.add_page("/b", links=["/round", "/b", "ht!tp:", "javascript:void(0)"])
        site.add_page("/moved", location="/missing", status=301)
        site.add_page("/round", location="/again", status=302)
        site.add_page("/again", location="/round", status=302)

        code = await check(tmp_path / "run", site)

        front, a, b = site.url("/"), site.url("/a"), site.url("/b")
    found = broken(tmp_path / "run")
    assert code == 1
    assert sorted(map(str, found)) == sorted(
        map(
            str,
            [
                (site.url("/missing"), 404, "http_status", [front, a]),
                (site.url("/ht!tp:"), 404, "http_status", [b]),
                (site.url("/again"), 302, "redirect_loop", [b]),
                ("//127.0.0.1:25/", None, "blocked_port", [a]),
                ("http://", None, "not_a_url", [a]),
                ("http://[bad", None, "not_a_url", [front, a]),
            ],
        )
    )
    printed = capfd.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("not_a_url")] == ["not_a_url http://", "not_a_url http://[bad"]
    at = printed.index("not_a_url http://[bad")
    assert printed[at + 1 : at + 3] == [f"    on {front}", f"    on {a}"]
    assert len([line for line in printed if not line.startswith("    on ")]) == len(found)


async def test_a_site_without_a_broken_link_is_fine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A link that is not followed is not checked: other sites, schemes that are no pages, parts of pages, pictures."""
    links = ["/a", "#nowhere", "http://elsewhere.example/", "mailto:x@y", "javascript:void(0)", "tel:+1"]
    async with HandMadeSite() as site:
        site.add_page("/", "<img src=/missing.png>", links=links)
        site.add_page("/a", links=["/"])

        code = await check(tmp_path / "run", site)

    assert (code, broken(tmp_path / "run"), capfd.readouterr().out) == (0, [], "")


async def test_a_missing_picture_is_broken_where_assets_are_links(tmp_path: Path) -> None:
    """`--assets` says that they are."""
    async with HandMadeSite() as site:
        site.add_page("/", "<img src=/missing.png><img src='http://[bad'>")

        code = await check(tmp_path / "run", site, "--assets")

    assert code == 1
    assert broken(tmp_path / "run") == [
        (site.url("/missing.png"), 404, "http_status", [site.url("/")]),
        ("http://[bad", None, "not_a_url", [site.url("/")]),
    ]


async def test_a_missing_picture_of_a_style_is_broken_too(tmp_path: Path) -> None:
    """From sheet to sheet, each against its own URL."""
    async with HandMadeSite() as site:
        site.add_page("/", "<link rel=stylesheet href=/css/a.css>")
        site.add_page("/css/a.css", "@import 'b/b.css';", content_type="text/css")
        site.add_page("/css/b/b.css", "p{background:url(missing.png)}", content_type="text/css")

        code = await check(tmp_path / "run", site, "--assets")

    page = site.url("/css/b/b.css")
    assert (code, broken(tmp_path / "run")) == (
        1,
        [(site.url("/css/b/missing.png"), 404, "http_status", [page])],
    )


async def test_a_page_that_only_refreshes_by_its_header_leads_on(tmp_path: Path) -> None:
    """Though there is nothing in it to be read."""
    async with HandMadeSite() as site:
        site.add_page("/", content_type="text/plain", headers=[("Refresh", "0; url=/new")])
        site.add_page("/new", links=["/missing"])

        code = await check(tmp_path / "run", site)

    assert (code, [url for url, *_ in broken(tmp_path / "run")]) == (1, [site.url("/missing")])


async def test_without_a_check_nothing_is_listed(tmp_path: Path) -> None:
    """A crawl that was not asked to check ends well, whatever its pages point at."""
    async with HandMadeSite() as site:
        site.add_page("/", links=["/missing", "http://[bad"])

        code = await check(tmp_path / "run", site, "--no-check")

    assert code == 0
    assert not (tmp_path / "run" / "broken.jsonl").exists()


@pytest.mark.parametrize("option", [("--json",), ("--save", "-")])
async def test_standard_output_that_a_program_reads_is_left_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], option: tuple[str, ...]
) -> None:
    """The list goes to standard error where standard output holds JSON."""
    async with HandMadeSite() as site:
        site.add_page("/", links=["/missing"])

        code = await check(tmp_path / "run", site, *option)

    shown = capfd.readouterr()
    assert code == 1
    assert json.loads(shown.out if option == ("--json",) else shown.out.splitlines()[0])
    assert "    on " in shown.err
    assert "    on " not in shown.out


async def test_a_page_that_was_not_read_is_listed(tmp_path: Path) -> None:
    """Its links are not checked, so the list must not be silent about it."""
    async with HandMadeSite() as site:
        site.add_page("/", links=["/packed"])
        site.add_page("/packed", body=b"\x1f\x8b\x08broken", headers=[("Content-Encoding", "gzip")])

        code = await check(tmp_path / "run", site)

        front, packed = site.url("/"), site.url("/packed")
    assert code == 1
    assert broken(tmp_path / "run") == [(packed, 200, "decode_error", [front])]
