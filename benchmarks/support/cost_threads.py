"""`crawler` with the processor time of its threads: `python cost_threads.py REPORT crawl URL -o DIR`.

The whole program runs, command line and all, in the Python that runs this file, of whatever checkout that is. The
report is JSON: CPU seconds by thread name, of the main thread (the event loop), of this process and of its children.
"""

import json
import resource
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from crawler.cli.main import main

_spent: Counter[str] = Counter()
_run_thread = threading.Thread._bootstrap_inner  # noqa: SLF001 - the one place that every kind of thread passes


def _measured(thread: threading.Thread) -> None:
    try:
        _run_thread(thread)
    finally:
        kind = type(thread).__name__ if thread.name.startswith("Thread-") else thread.name
        _spent[kind] += time.thread_time()


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _report(path: Path) -> None:
    told = {
        "threads": dict(_spent),
        "main": time.thread_time(),
        "process": _cpu(resource.RUSAGE_SELF),
        "children": _cpu(resource.RUSAGE_CHILDREN),
    }
    path.write_text(json.dumps(told), "utf-8")


if __name__ == "__main__":
    threading.Thread._bootstrap_inner = _measured  # noqa: SLF001 - as above
    report = Path(sys.argv.pop(1))
    try:
        main()
    finally:
        _report(report)
