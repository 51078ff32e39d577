"""The built-in site with any plan: `python planned_site.py PLAN PORT [LOG]`, the plan as JSON, port 0 = any free one.

`crawler serve` takes the few numbers that a user wants to change; this script takes all of them. It prints one line of
JSON when it is ready, and ends when its standard input closes.
"""

import json
import sys
from functools import partial
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from crawler.runtime.loop import Stop, raise_open_files, run
from crawler.site.parent_pipe import end_with_parent
from crawler.site.plan import SitePlan
from crawler.site.server import SiteServer
from crawler.site.truth import Site


async def _serve(plan: SitePlan, port: int, log_path: Path | None, stop: Stop) -> None:
    async with SiteServer(Site(plan), port=port, log_path=log_path) as server:
        await end_with_parent(stop)
        print(json.dumps({"urls": server.base_urls}), flush=True)
        await stop.wait_draining()


if __name__ == "__main__":
    raise_open_files()
    plan = msgspec.json.decode(sys.argv[1], type=SitePlan)
    log = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    run(partial(_serve, plan, int(sys.argv[2]), log))
