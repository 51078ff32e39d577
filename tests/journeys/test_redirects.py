"""Redirects that lead nowhere, told alike by every way to ask."""

import json
from pathlib import Path

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher
from support.commands import crawler
from support.siteserver import HandMadeSite


async def told(folder: Path, command: list[str], *urls: str) -> tuple[int, dict[str, str]]:
    """The exit code of a command, and the reason of each line by its path."""
    listed = folder / "urls.txt"
    listed.write_text("".join(f"{url}\n" for url in urls), "utf-8")
    code = await crawler(*command, listed, "-o", folder / "run", "--quiet")
    lines = [json.loads(line) for line in (folder / "run" / "pages.jsonl").read_text("utf-8").splitlines()]
    return code, {"/" + line["url"].split("/", 3)[3]: line["reason"] for line in lines}


@pytest.mark.parametrize("command", [["fetch"], ["crawl", "--workers", "0"], ["crawl", "--workers", "0", "--check"]])
@pytest.mark.parametrize("length", [1, 2, 3, 9])
async def test_a_circle_is_told_alike(
    tmp_path: Path, command: list[str], length: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """One URL of it fails, exit code 1, and the way into it is a redirect; the library raises the same reason."""
    async with HandMadeSite() as site:
        for at in range(length):
            site.add_page(f"/{at}", location=f"/{(at + 1) % length}", status=302)
        site.add_page("/in", location="/0", status=302)

        code, reasons = await told(tmp_path, command, site.url("/in"))
        async with Fetcher() as fetcher:
            with pytest.raises(FetchError) as caught:
                await fetcher.get(site.url("/in"))
        verified = await crawler("verify", tmp_path / "run")

    last = f"/{length - 1}"
    assert (code, verified, caught.value.reason) == (1, 0, Reason.REDIRECT_LOOP)
    assert reasons == {path: "redirect_loop" if path == last else "redirect" for path in reasons}
    assert len(reasons) == length + 1
    if "--check" in command:
        assert "redirect_loop" in capfd.readouterr().out


async def test_a_3xx_that_leads_nowhere_is_a_page(tmp_path: Path) -> None:
    """Its links are followed (Fetch, "location URL": null)."""
    async with HandMadeSite() as site:
        site.add_page("/", links=["/next"], status=302)
        site.add_page("/next", links=["/last"], status=300)
        site.add_page("/last")

        code, reasons = await told(tmp_path, ["crawl", "--workers", "0"], site.url("/"))

    assert (code, reasons) == (0, {"/": "http_status", "/next": "http_status", "/last": "ok"})
