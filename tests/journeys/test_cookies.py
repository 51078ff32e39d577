"""`--cookies`: a run keeps the cookies that servers set."""

from pathlib import Path

import pytest

from support.commands import crawler
from support.siteserver import HandMadeSite

FILE = "127.0.0.1\tFALSE\t/\tFALSE\t0\tgiven\t1\n"


@pytest.fixture(autouse=True)
def shop(site: HandMadeSite) -> None:
    """A page that sets a cookie, and one behind it."""
    site.add_page("/shop", links=["/shop/cart"], headers=[("Set-Cookie", "basket=full")])
    site.add_page("/shop/cart")


def sent(site: HandMadeSite, target: str) -> list[str | None]:
    """Return the cookies of each request for a target."""
    return [asked.header("Cookie") for asked in site.requests if asked.target == target]


async def test_cookies_of_servers_go_with_later_requests(tmp_path: Path, site: HandMadeSite) -> None:
    """They go back to their host, beside those of the user's file."""
    (tmp_path / "cookies.txt").write_text(FILE, "utf-8")
    options = ["--cookies", "--load-cookies", tmp_path / "cookies.txt", "-o", tmp_path / "out"]

    await crawler("crawl", site.url("/shop"), *options)

    assert sent(site, "/shop") == ["given=1"]
    assert sent(site, "/shop/cart") == ["given=1; basket=full"]


@pytest.mark.parametrize("options", [[], ["--no-cookies"]])
async def test_without_it_none_is_kept(tmp_path: Path, site: HandMadeSite, options: list[str]) -> None:
    """A crawl has no sessions unless it is asked to."""
    await crawler("crawl", site.url("/shop"), *options, "-o", tmp_path / "out")

    assert sent(site, "/shop/cart") == [None]


async def test_a_resumed_run_begins_with_the_cookies_of_its_file(tmp_path: Path, site: HandMadeSite) -> None:
    """No cookie of a server is stored in the run's folder; the new life keeps those that it meets."""
    (tmp_path / "cookies.txt").write_text(FILE, "utf-8")
    options = ["--cookies", "--load-cookies", tmp_path / "cookies.txt", "--max-pages", 1, "-o", tmp_path / "out"]
    site.add_page("/shop/cart", headers=[("Set-Cookie", "seen=yes")], links=["/shop/end"])
    site.add_page("/shop/end")

    await crawler("crawl", site.url("/shop"), *options)
    await crawler("resume", tmp_path / "out", "--max-pages", 10)

    assert sent(site, "/shop/cart") == ["given=1"]
    assert sent(site, "/shop/end") == ["seen=yes; given=1"]  # the longer path first
    assert not [path for path in (tmp_path / "out").iterdir() if b"basket" in path.read_bytes()]
