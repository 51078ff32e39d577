"""A worker without a network: `python committing.py DSN RUN WORKER SECONDS FOLDER` leases and commits for so long.

It writes `ready`, waits for a line, works, and writes a line of JSON: groups, visits, and seconds.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.support.filled_database import Filled, Groups, worker
from crawler.core.leases_and_commits import Wanted

VISITS = 500  # of a group
SHARE = 10  # URLs of a host in a group
LINKS, NEW = 10, 2  # of a page


def _main(dsn: str, run: str, number: int, seconds: float, folder: Path) -> None:
    with worker(dsn, run, folder, number) as frontier:
        groups = Groups(Filled.of(run), links=LINKS, new=NEW, seed=number)
        wanted = Wanted(new_hosts=VISITS // SHARE, new_share=SHARE)
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.monotonic()
        done = visits = 0
        while time.monotonic() - began < seconds:
            lease = frontier.lease(wanted, time.time())
            frontier.commit(groups.of(lease.requests))
            gone = {request.url.host_port for request in lease.requests}
            wanted = Wanted(gone=tuple(gone), new_hosts=VISITS // SHARE, new_share=SHARE)
            done, visits = done + 1, visits + len(lease.requests)
        spent = time.monotonic() - began
        print(json.dumps({"groups": done, "visits": visits, "seconds": spent}), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))
