"""The step of a worker, alone: `python cost_reading.py FOLDER MOST` reads that many HTML files of a folder.

It prints a line of JSON: CPU microseconds for each document, and their number. The first documents are read before the
clock starts, so that nothing is imported or compiled while it runs; each document is read once, as in a crawl.
"""

import json
import sys
import time
from pathlib import Path

from crawler.core.config import FetchConfig, ScopeConfig
from crawler.core.messages import Request, Response
from crawler.core.urls import parse
from crawler.parse.decoding import ParseJob, job_of
from crawler.parse.follow import follow
from crawler.parse.page_reader import PageReader, Task

_FIRST = 20  # documents


def _job(root: Path, file: Path) -> ParseJob:
    url = parse(f"http://127.0.0.1/{file.relative_to(root).as_posix()}")
    headers = ((b"Content-Type", b"text/html"),)
    return job_of(
        Response(request=Request(url=url, id=1, named=True), status=200, headers=headers, body=file.read_bytes())
    )


def _main(root: Path, most: int) -> None:
    files = sorted(root.rglob("*.html"))
    jobs = [_job(root, file) for file in files[:: max(1, len(files) // most)][:most]]
    reader = PageReader(
        Task(max_decoded=FetchConfig().max_decoded, agent="crawler", follow=follow(ScopeConfig(), obey=False))
    )
    first = min(_FIRST, len(jobs) // 2)
    for job in jobs[:first]:
        reader.read(job)
    began = time.process_time()
    for job in jobs[first:]:
        reader.read(job)
    count = len(jobs) - first
    print(json.dumps({"us": (time.process_time() - began) * 1e6 / count, "count": count}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
