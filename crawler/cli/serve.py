"""`crawler serve`: the built-in site, for trying things on."""

import json
import os
from collections.abc import Iterable
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import click

from crawler.cli import streams
from crawler.core.errors import UrlError, UsageError
from crawler.core.rate_limits import is_loopback
from crawler.core.urls import parse

EXAMPLES = """\b
Examples:
  crawler serve                              # 1,000 pages on port 8000
  crawler serve --pages 200 --list site.txt  # and write the list of its URLs
  crawler fetch site.txt                     # in another terminal
  crawler serve --hosts 5 --log log.jsonl    # five hosts, and a log
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--pages",
    metavar="N",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    help="Pages of each host.  [default: 1000]",
)
@click.option(
    "--hosts", metavar="N", type=click.IntRange(1, 250), default=1, help="Hosts, each at its own address.  [default: 1]"
)
@click.option(
    "--port", metavar="N", type=click.IntRange(0, 65535), default=8000, help="0 = any free port.  [default: 8000]"
)
@click.option("--address", metavar="IP", default="127.0.0.1", help="A loopback address.  [default: 127.0.0.1]")
@click.option("--seed", metavar="N", type=int, default=1, help="Another seed is another site.  [default: 1]")
@click.option(
    "--latency", metavar="SECONDS", type=click.FloatRange(0, 60), default=0.0, help="Wait before every answer."
)
@click.option("--plain", is_flag=True, help="Only pages that answer 200.")
@click.option("--list", "list_file", metavar="FILE", help="Write the URL of every page here; a list of yours is kept.")
@click.option("--log", "log_file", metavar="FILE", help="Append each request here as a line of JSON.")
@click.option(
    "--parent-pipe", is_flag=True, hidden=True, help="Print the URLs as a line of JSON; end when standard input closes."
)
def command(**options: object) -> int:
    """Serve the built-in site until Ctrl-C: pages, links, redirects, 404s, slow pages, robots.txt, sitemap."""
    from crawler.runtime.loop import raise_open_files, run

    address = str(options["address"])
    _check_loopback(address)
    if options["list_file"]:
        _check_list(Path(str(options["list_file"])))
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


def _check_list(path: Path) -> None:
    """Refuse a file that holds more than URLs of this machine, as `serve` writes them: somebody's own would be lost."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        if not all(map(_is_own, file)):
            raise UsageError(f"--list: {path} holds more than URLs of this machine; give another file, or remove it")


def _is_own(line: str) -> bool:
    try:
        return is_loopback(parse(line).host_port)
    except UrlError:
        return False


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
    from crawler.site.parent_pipe import end_with_parent
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
        if options["parent_pipe"]:
            await end_with_parent(stop)
            click.echo(json.dumps({"urls": server.base_urls, "pid": os.getpid()}))
        else:
            for url in server.base_urls:
                click.echo(f"serving {url}/")
            click.echo(f"Ctrl-C ends it; in the background: kill {os.getpid()}", err=True)
        await stop.wait_draining()
