"""Real input: are all files of Python's documentation, as nginx serves them, fetched byte for byte?

Run with: python benchmarks/documentation.py [--root DIR]
Debian's `python3.11-doc` (or the files of any folder) behind an nginx of our own on loopback. Every file's URL goes
into a list, and `crawler fetch` fetches the list. Then each line of the output is compared with its file: SHA-256 and
size. Apart from that, the standard library's html.parser walks the files from index.html along their links: the pages
that it reaches are counted, and must be in the output too.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.programs import Run, audit, crawler, nginx, nginx_program
from benchmarks.support.tables import Claim, exactly, figure, verdict

DOCUMENTATION = Path("/usr/share/doc/python3.11/html")
MIB = 1024 * 1024


def main() -> int:
    """Fetch the folder and compare; the exit code is 0 when nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, default=DOCUMENTATION, help="the folder to serve")
    parser.add_argument("--concurrency", type=int, default=256)
    options = parser.parse_args()
    _install_what_is_missing(options.root)
    with tempfile.TemporaryDirectory(prefix="crawler-documentation-") as scratch:
        return _measure(options.root.resolve(), Path(scratch), options.concurrency)


def _install_what_is_missing(root: Path) -> None:
    wanted = {"nginx-light": nginx_program() is not None, "python3.11-doc": root != DOCUMENTATION or root.is_dir()}
    missing = [package for package, is_there in wanted.items() if not is_there]
    if missing and os.geteuid() == 0:
        quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", "-qq", *step], check=False, env=quietly, stdout=subprocess.DEVNULL)
    if nginx_program() is None or not root.is_dir():
        print(f"{root} or nginx is missing; on Debian 12: apt-get install nginx-light python3.11-doc", file=sys.stderr)
        sys.exit(2)


def _measure(root: Path, scratch: Path, concurrency: int) -> int:
    files = list(_files(root))
    largest = max(file.stat().st_size for file in files)
    limits = ["--max-body", str(max(16 * MIB, largest)), "--max-decoded", str(max(64 * MIB, largest))]
    with nginx(root, scratch) as base_url:
        expected = {_url(base_url, root, file): file for file in files}
        listed = scratch / "urls.txt"
        listed.write_text("".join(f"{url}\n" for url in expected), "utf-8")
        run = crawler("fetch", str(listed), "-o", str(scratch / "run"), "--concurrency", str(concurrency), *limits)
    reachable = {_url(base_url, root, page) for page in _reachable(root)}
    claims = _claims(expected, reachable, scratch / "run", run)
    return verdict(f"documentation: {root}, through nginx and `crawler fetch --concurrency {concurrency}`", claims)


def _claims(expected: dict[str, Path], reachable: set[str], folder: Path, run: Run) -> list[Claim]:
    lines = [json.loads(line) for line in (folder / "pages.jsonl").read_bytes().splitlines()]
    times = Counter(line["url"] for line in lines)
    size = sum(line["bytes"] or 0 for line in lines)
    return [
        exactly("files fetched, status 200", len(expected), sum(line["status"] == 200 for line in lines)),
        figure("  of them HTML pages", sum(path.suffix == ".html" for path in expected.values())),
        figure("  of them reachable from index.html by links", len(reachable)),
        figure("MB (10^6 bytes)", size / 1e6),
        figure("seconds, the whole command", run.seconds),
        figure("files per second", len(lines) / run.seconds),
        figure("peak memory, MiB", run.summary.peak_rss_mb),
        exactly("other bytes than the file's", 0, sum(_differs(line, expected) for line in lines)),
        exactly("missing", 0, len(expected.keys() - times.keys())),
        exactly("reachable pages missing", 0, len(reachable - times.keys())),
        exactly("extra", 0, len(times.keys() - expected.keys())),
        exactly("twice", 0, sum(n > 1 for n in times.values())),
        exactly("exit codes of fetch and verify", (0, 0), (run.code, audit(folder))),
    ]


def _differs(line: dict[str, object], expected: dict[str, Path]) -> bool:
    file = expected.get(str(line["url"]))
    if file is None:
        return False  # counted as extra
    body = file.read_bytes()
    return (line["bytes"], line["sha256"]) != (len(body), hashlib.sha256(body).hexdigest())


def _files(root: Path) -> Iterator[Path]:
    """Every file that nginx can serve: links are followed, though never back up into a folder on the way."""
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        above = {here.resolve(), *here.resolve().parents}
        folders[:] = [name for name in folders if (here / name).resolve() not in above]
        yield from (here / name for name in names if (here / name).is_file())


def _url(base_url: str, root: Path, file: Path) -> str:
    return f"{base_url}/{quote(os.fsencode(file.relative_to(root)))}"


class _Links(HTMLParser):
    """The addresses that a page's <a> elements lead to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page.read_text("utf-8", "replace"))

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found |= {value.partition("#")[0] for name, value in attrs if name == "href" and value}


def _reachable(root: Path) -> set[Path]:
    """The HTML files that links lead to from index.html, it included."""
    start = root / "index.html"
    waiting = [start] if start.is_file() else []
    seen = set(waiting)
    while waiting:
        page = waiting.pop()
        fresh = {target for link in _Links(page).found if (target := _target(root, page, link))} - seen
        seen |= fresh
        waiting += fresh
    return seen


def _target(root: Path, page: Path, link: str) -> Path | None:
    """The HTML file of this folder that a link leads to; None = something else."""
    where = urlsplit(urljoin(f"http://here/{quote(str(page.relative_to(root)))}", link.strip()))
    file = root / unquote(where.path).lstrip("/")
    return file if where.netloc == "here" and file.suffix == ".html" and file.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
