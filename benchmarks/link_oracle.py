"""The scan of HTML against the tree: both read every page of some folders, and must say the same.

Run with: python benchmarks/link_oracle.py [--root DIR ...] [--html5lib DIR]
The pages are those of Debian's documentation that is installed here. `--html5lib` takes the folder `tree-construction`
of html5lib-tests besides: each of its documents is read as it is, and with a link behind each `>`.
Links are compared in order. A page with a table whose links differ in their order alone counts as moved, since a tree
moves content between the cells of a table before it (`crawler/parse/html_scan.py`).
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from msgspec.structs import asdict, replace

from benchmarks.support.tables import show
from crawler.core.urls import parse
from crawler.encoding import decode, detect
from crawler.parse.document import Document, Reading, Wants
from crawler.parse.document_reader import read
from crawler.parse.html_scan import NeedsTree, scan

DEBIAN = Path("/usr/share/doc")
URL = parse("http://h.example/folder/page.html")
GZIP = b"\x1f\x8b"


def pages(roots: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each page below some folders; compressed files are no pages."""
    for root in roots:
        for file in sorted(root.rglob("*.htm*")):
            if file.is_file() and not (body := file.read_bytes()).startswith(GZIP):
                yield str(file), body


def trees(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the documents of html5lib-tests, each as it is and with links put into it."""
    for file in sorted(folder.glob("*.dat")):
        for at, test in enumerate(file.read_bytes().split(b"#data\n")[1:]):
            body = test.partition(b"\n#errors")[0]
            yield f"{file}[{at}]", body
            places = [found.end() for found in re.finditer(rb">", body)]
            for count, place in enumerate(places):
                yield f"{file}[{at}] with link {count}", body[:place] + b"<a href=link>" + body[place:]


def without_order(reading: Reading) -> Reading:
    links = tuple(sorted(reading.links or (), key=repr))
    return replace(reading, links=links, bad_examples=tuple(sorted(reading.bad_examples, key=repr)))


def difference(scanned: Reading, parsed: Reading) -> str:
    ours, theirs = asdict(scanned), asdict(parsed)
    name = next(name for name, value in ours.items() if value != theirs[name])
    if name != "links":
        return f"{name}: {ours[name]!r}, the tree {theirs[name]!r}"
    missed = [link for link in theirs[name] or () if link not in (ours[name] or ())]
    invented = [link for link in ours[name] or () if link not in (theirs[name] or ())]
    return f"missed {missed[:1]}, invented {invented[:1]}" if missed or invented else "the order of the links"


def refusal(body: bytes) -> str | None:
    """Return why a page needs its tree; None = it is scanned."""
    try:
        scan(decode.utf_8(body, detect.of_html(body, None)))
    except NeedsTree as reason:
        return str(reason)
    return None


def compare(name: str, documents: Iterator[tuple[str, bytes]]) -> bool:
    """Print what was compared, and return whether nothing differs."""
    count, reasons, differing = Counter[str](), Counter[str](), []
    for path, body in documents:
        document = Document(url=URL, body=body, content_type="text/html")
        count["pages"] += 1
        if reason := refusal(body):
            reasons[reason] += 1
            continue
        scanned = read(document, agent="bot")
        parsed = replace(read(document, Wants(text=True), agent="bot"), text=None, data_cut=False)
        count["links"] += len(parsed.links or ())
        if scanned == parsed:
            continue
        if b"<table" in body.lower() and without_order(scanned) == without_order(parsed):
            count["moved"] += 1
        else:
            differing.append(f"{path}: {difference(scanned, parsed)}")
    left = f"{reasons.total():,} ({reasons.total() / max(count['pages'], 1):.1%})"
    rows = [(f"{count['pages']:,}", f"{count['links']:,}", left, f"{count['moved']:,}", len(differing))]
    show(name, ("pages", "links of scans", "left to the tree", "moved", "differing"), rows)
    for line in (*(f"left: {reason}: {pages:,}" for reason, pages in reasons.most_common(12)), *differing[:10]):
        print(f"  {line}")
    return not differing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, nargs="+", default=[DEBIAN], help="folders of HTML files")
    parser.add_argument("--html5lib", type=Path, help="the folder tree-construction of html5lib-tests")
    arguments = parser.parse_args()
    absent = [str(folder) for folder in (*arguments.root, arguments.html5lib) if folder and not folder.is_dir()]
    if absent:
        print(f"no such folder: {', '.join(absent)}")
        return 2
    same = [compare(str(root), pages([root])) for root in arguments.root]
    if arguments.html5lib:
        same.append(compare(str(arguments.html5lib), trees(arguments.html5lib)))
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
