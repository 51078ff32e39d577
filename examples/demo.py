"""The main job, end to end: start the built-in site, fetch its list of URLs, audit the run."""

import json
import subprocess
import sys
from pathlib import Path

PAGES = "2000"
HOSTS = "3"


def say(text: str) -> None:
    """Print at once, so that our lines stay in order with those of the programs that we start."""
    print(text, flush=True)


def main() -> int:
    """Run the demo; the exit code is 0 when the run is complete and the audit is clean."""
    crawler = [sys.executable, "-m", "crawler"]
    site = [sys.executable, "-m", "crawler.site", "--pages", PAGES, "--hosts", HOSTS]
    with subprocess.Popen(site, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:  # noqa: S603 - our own program
        ready = json.loads(server.stdout.readline()) if server.stdout else {}
        say(f"the built-in site serves {PAGES} pages on each of {', '.join(ready['urls'])}\n")
        urls = Path("output") / f"demo-{ready['pid']}.txt"
        urls.parent.mkdir(exist_ok=True)
        urls.write_text("".join(f"{url}\n" for url in list_of(ready["urls"])), "utf-8")
        out = f"output/demo-{ready['pid']}"
        say(f"$ crawler fetch {urls} -o {out}")
        fetched = subprocess.run([*crawler, "fetch", str(urls), "-o", out], check=False)  # noqa: S603
        say(f"exit code {fetched.returncode} (1 = done, some URLs failed: the site has redirect loops on purpose)\n")
        say(f"$ crawler verify {out}")
        verified = subprocess.run([*crawler, "verify", out], check=False)  # noqa: S603
        say("\nthe first line of the output:")
        say((Path(out) / "pages.jsonl").open(encoding="utf-8").readline())
        if server.stdin:
            server.stdin.close()
    return 0 if fetched.returncode in {0, 1} and verified.returncode == 0 else 1


def list_of(base_urls: list[str]) -> list[str]:
    """Every URL of the site: its truth is known from its plan, so nobody has to ask it."""
    from crawler.site.plan import SitePlan  # noqa: PLC0415 - a detail of the demo
    from crawler.site.truth import Site  # noqa: PLC0415

    return list(Site(SitePlan(pages=int(PAGES), hosts=int(HOSTS)), base_urls).urls())


if __name__ == "__main__":
    sys.exit(main())
