"""The main job, end to end: start the built-in site, crawl it from its front pages, audit the run."""

import json
import subprocess
import sys
from pathlib import Path

PAGES = "500"
HOSTS = "8"


def say(text: str) -> None:
    """Print at once, so that our lines stay in order with those of the programs that we start."""
    print(text, flush=True)


def main() -> int:
    """Run the demo; the exit code is 0 when the run is complete and the audit is clean."""
    crawler = [sys.executable, "-m", "crawler"]
    site = [*crawler, "serve", "--parent-pipe", "--port", "0", "--pages", PAGES, "--hosts", HOSTS]
    with subprocess.Popen(site, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:  # noqa: S603 - our own program
        ready = json.loads(server.stdout.readline()) if server.stdout else {}
        out = f"output/demo-{ready['pid']}"
        seeds = Path(f"{out}.txt")
        seeds.parent.mkdir(exist_ok=True)
        seeds.write_text("".join(f"{url}/\n" for url in ready["urls"]), encoding="utf-8")
        say(f"the built-in site serves {PAGES} pages on each of {HOSTS} hosts; their front pages are in {seeds}\n")
        say(f"$ crawler crawl {seeds} -o {out}")
        crawled = subprocess.run([*crawler, "crawl", str(seeds), "-o", out], check=False)  # noqa: S603
        say(f"exit code {crawled.returncode} (1 = done, some URLs failed: the site has redirect loops on purpose)\n")
        say(f"$ crawler verify {out}")
        verified = subprocess.run([*crawler, "verify", out], check=False)  # noqa: S603
        say("\nthe first line of the output:")
        say((Path(out) / "pages.jsonl").open(encoding="utf-8").readline())
        if server.stdin:
            server.stdin.close()
    return 0 if crawled.returncode in {0, 1} and verified.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
