"""`crawler serve`: the built-in site, for trying things on."""

import os
from collections.abc import Iterable
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import click

from crawler.cli import streams
from crawler.core.errors import UsageError

EXAMPLES = """\b
Examples:
  crawler serve                                  1,000 pages on http://127.0.0.1:8000
  crawler serve --pages 200 --list urls.txt      and write the list of its URLs
  crawler fetch urls.txt                         (in another terminal)
  crawler serve --hosts 5 --log requests.jsonl   five hosts, and a log of every request
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--pages", type=click.IntRange(1, 10_000_000), default=1000, show_default=True, help="Pages of each host."
)
@click.option(
    "--hosts", type=click.IntRange(1, 250), default=1, show_default=True, help="Virtual hosts, each at its own address."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 = any free port.")
@click.option("--address", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another site.")
@click.option("--latency", type=click.FloatRange(0, 60), default=0.0, help="Seconds before every answer.")
@click.option("--plain", is_flag=True, help="Only pages that answer 200.")
@click.option("--list", "list_file", metavar="FILE", help="Write the URL of every page here.")
@click.option("--log", "log_file", metavar="FILE", help="Append each request here as a line of JSON.")
def command(**options: object) -> int:
    """Serve the built-in site until Ctrl-C: pages, links, redirects, 404s, slow pages, robots.txt, sitemap."""
    from crawler.runtime.loop import raise_open_files, run

    address = str(options["address"])
    _check_loopback(address)
    raise_open_files()
    try:
        run(partial(_serve, options, address))
    except OSError as error:
        if streams.is_lost(error):
            raise
        raise UsageError(_refusal(error, f"{address}:{options['port']}")) from None
    return 0


def _check_loopback(address: str) -> None:
    try:
        loopback = ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UsageError(f"--address: expected a loopback address such as 127.0.0.1, got {address[:60]!r}")


def _refusal(error: OSError, where: str) -> str:
    """What to do about an error of a file, which has a name, or of the port."""
    if error.filename:
        return f"{error.filename}: {error.strerror}; give another file"
    return (
        f"{where}: {os.strerror(error.errno or 0)}; give another --port, unless a crawler serve is still running there"
    )


def _write_list(path: Path, urls: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{url}\n" for url in urls)


async def _serve(options: dict[str, object], address: str, stop: object) -> None:
    from crawler.runtime.loop import Stop
    from crawler.site.plan import SitePlan
    from crawler.site.server import SiteServer
    from crawler.site.truth import Site

    assert isinstance(stop, Stop)  # noqa: S101 - `run` gives one; its type is imported late
    make = SitePlan.plain if options["plain"] else SitePlan
    plan = make(
        pages=int(str(options["pages"])),
        hosts=int(str(options["hosts"])),
        seed=int(str(options["seed"])),
        latency=float(str(options["latency"])),
    )
    log_path = Path(str(options["log_file"])) if options["log_file"] else None
    async with SiteServer(Site(plan), address=address, port=int(str(options["port"])), log_path=log_path) as server:
        if options["list_file"]:
            _write_list(Path(str(options["list_file"])), server.site.urls())
        for url in server.base_urls:
            click.echo(f"serving {url}/")
        click.echo(f"Ctrl-C ends it; in the background: kill {os.getpid()}", err=True)
        await stop.wait_draining()
