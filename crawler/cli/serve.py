"""`crawler serve`: the built-in site, for trying things on."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import click
from msgspec import convert

from crawler.cli import streams
from crawler.core.errors import UrlError, UsageError
from crawler.core.rate_limits import is_loopback
from crawler.core.urls import parse
from crawler.runtime.loop import Stop, raise_open_files, run

EXAMPLES = """\b
Examples:
  crawler serve                              # 1,000 pages on port 8000
  crawler serve --pages 200 --list site.txt  # and write the list of its URLs
  crawler fetch site.txt                     # in another terminal
  crawler serve --hosts 5 --log log.jsonl    # five hosts, and a log
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeFlags:
    """Flags of `serve`; `latency` in seconds."""

    pages: int
    hosts: int
    port: int
    address: str
    seed: int
    latency: float
    plain: bool
    list_file: str | None
    log_file: str | None
    parent_pipe: bool


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
@click.option(
    "--list", "list_file", metavar="FILE", help="Write the URL of every page to this file, if it holds nothing else."
)
@click.option("--log", "log_file", metavar="FILE", help="Append each request to this file as a line of JSON.")
@click.option(
    "--parent-pipe", is_flag=True, hidden=True, help="Print the URLs as a line of JSON; end when standard input closes."
)
def command(**parameters: object) -> int:
    """Serve the built-in site until Ctrl-C: pages, links, redirects, 404s, slow pages, robots.txt, sitemap."""
    flags = convert(parameters, ServeFlags)
    try:
        is_ours = ip_address(flags.address).is_loopback
    except ValueError:
        is_ours = False
    if not is_ours:
        raise UsageError(f"--address: expected a loopback address such as 127.0.0.1, got {flags.address[:60]!r}")
    if flags.list_file and (path := Path(flags.list_file)).is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            try:  # a line that is no URL of this machine is the user's own: `serve` did not write it
                is_list = all(is_loopback(parse(line).host_port) for line in file)
            except UrlError:
                is_list = False
        if not is_list:
            raise UsageError(f"--list: {path} holds more than URLs of this machine; give another file, or remove it")
    raise_open_files()
    try:
        run(partial(_serve, flags))
    except OSError as error:
        if streams.is_lost(error):
            raise
        if error.filename:
            raise UsageError(f"{error.filename}: {error.strerror}; give another file") from None
        raise UsageError(
            f"{flags.address}:{flags.port}: {os.strerror(error.errno or 0)}; give another --port, "
            "or end the crawler serve that still runs there"
        ) from None
    return 0


async def _serve(flags: ServeFlags, stop: Stop) -> None:
    from crawler.site.parent_pipe import end_with_parent
    from crawler.site.plan import SitePlan
    from crawler.site.server import SiteServer
    from crawler.site.truth import Site

    make = SitePlan.plain if flags.plain else SitePlan
    site = Site(make(pages=flags.pages, hosts=flags.hosts, seed=flags.seed, latency=flags.latency))
    log_path = Path(flags.log_file) if flags.log_file else None
    async with SiteServer(site, address=flags.address, port=flags.port, log_path=log_path) as server:
        if flags.list_file:
            _write_list(Path(flags.list_file), server.site.urls())
        if flags.parent_pipe:
            await end_with_parent(stop)
            click.echo(json.dumps({"urls": server.base_urls, "pid": os.getpid()}))
        else:
            for url in server.base_urls:
                click.echo(f"serving {url}/")
            click.echo(f"Ctrl-C ends it; in the background: kill {os.getpid()}", err=True)
        await stop.wait_draining()


def _write_list(path: Path, urls: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{url}\n" for url in urls)
