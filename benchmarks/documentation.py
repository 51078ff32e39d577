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
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.debian import DOCUMENTATION, prepare_nginx
from benchmarks.support.programs import Run, audit, crawler, nginx
from benchmarks.support.tables import Claim, exactly, figure, verdict
from benchmarks.support.walk import files, reachable, url_of

MIB = 1024 * 1024


def main() -> int:
    """Fetch the folder and compare; the exit code is 0 when nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, default=DOCUMENTATION, help="the folder to serve")
    parser.add_argument("--concurrency", type=int, default=256)
    options = parser.parse_args()
    prepare_nginx(options.root)
    with tempfile.TemporaryDirectory(prefix="crawler-documentation-") as scratch:
        return _measure(options.root.resolve(), Path(scratch), options.concurrency)


def _measure(root: Path, scratch: Path, concurrency: int) -> int:
    served = list(files(root))
    largest = max(file.stat().st_size for file in served)
    limits = ["--max-body", str(max(16 * MIB, largest)), "--max-decoded", str(max(64 * MIB, largest))]
    with nginx(root, scratch) as base_url:
        expected = {url_of(base_url, root, file): file for file in served}
        listed = scratch / "urls.txt"
        listed.write_text("".join(f"{url}\n" for url in expected), "utf-8")
        run = crawler("fetch", str(listed), "-o", str(scratch / "run"), "--concurrency", str(concurrency), *limits)
    linked = {url_of(base_url, root, page) for page in reachable(root).values()}
    claims = _claims(expected, linked, scratch / "run", run)
    return verdict(f"documentation: {root}, through nginx and `crawler fetch --concurrency {concurrency}`", claims)


def _claims(expected: dict[str, Path], linked: set[str], folder: Path, run: Run) -> list[Claim]:
    lines = [json.loads(line) for line in (folder / "pages.jsonl").read_bytes().splitlines()]
    times = Counter(line["url"] for line in lines)
    size = sum(line["bytes"] or 0 for line in lines)
    return [
        exactly("files fetched, status 200", len(expected), sum(line["status"] == 200 for line in lines)),
        figure("  of them HTML pages", sum(path.suffix == ".html" for path in expected.values())),
        figure("  of them reachable from index.html by links", len(linked)),
        figure("MB (10^6 bytes)", size / 1e6),
        figure("seconds, the whole command", run.seconds),
        figure("files per second", len(lines) / run.seconds),
        figure("peak memory, MiB", run.summary.peak_rss_mb),
        exactly("other bytes than the file's", 0, sum(_differs(line, expected) for line in lines)),
        exactly("missing", 0, len(expected.keys() - times.keys())),
        exactly("reachable pages missing", 0, len(linked - times.keys())),
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


if __name__ == "__main__":
    sys.exit(main())
