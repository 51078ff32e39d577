"""A run that two workers shared in a database, with their folders, to be looked back at and tampered with."""

import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from socket import gethostname

import psycopg

from support.commands import program
from support.databases import DatabaseServer
from support.siteserver import HandMadeSite

RUN = "docs"
HOSTS, PAGES = 4, 20


@dataclass(frozen=True, slots=True)
class TwoWorkers:
    """The run in the database `dsn`, whose workers' folders are `w1` and `w2` in `folder`; `hosts` are its hosts."""

    dsn: str
    folder: Path
    hosts: tuple[str, ...]

    @property
    def folders(self) -> tuple[Path, Path]:
        """Return the folders of both workers."""
        return self.folder / "w1", self.folder / "w2"

    def change(self, statements: str) -> None:
        """Change the run's tables behind its back."""
        with psycopg.connect(self.dsn, options=f"-c search_path=crawler_{RUN}", autocommit=True) as db:
            db.execute(statements.encode())

    def lines(self, worker: int) -> list[bytes]:
        """Return the lines of a worker."""
        return (self.folders[worker - 1] / "pages.jsonl").read_bytes().splitlines(keepends=True)


async def share(dsn: str, folder: Path) -> TwoWorkers:
    """Let a worker begin with a list of four hosts, and another end it; each has a robots.txt and a 404."""
    async with AsyncExitStack() as stack:
        sites = [
            await stack.enter_async_context(HandMadeSite(address=f"127.0.0.{number}")) for number in range(1, HOSTS + 1)
        ]
        for site in sites:
            site.add_page("/robots.txt", "User-agent: *\nDisallow: /private/\n", content_type="text/plain")
            for number in range(PAGES):
                site.add_page(f"/{number}", f"page {number}")
        urls = [site.url(f"/{path}") for path in (*range(PAGES), "gone", "private/x") for site in sites]
        listed = folder / "urls.txt"
        listed.write_text("".join(f"{url}\n" for url in [*urls, "/relative"]), "utf-8")
        first, second = TwoWorkers(dsn, folder, ()).folders
        begun = ("fetch", listed, "-o", first, "--frontier", dsn, "--name", RUN, "--delay", 0.05, "--quiet")
        async with program(*begun) as one:
            await sites[0].asked(8)
            one.send_signal(signal.SIGINT)
            await one.communicate()
        async with program("join", dsn, "-o", second, "--quiet") as two:
            await two.communicate()
        found = TwoWorkers(dsn, folder, tuple(f"127.0.0.{n}:{site.port}" for n, site in enumerate(sites, 1)))
    assert (one.returncode, two.returncode) == (130, 0)
    assert found.lines(1)
    assert found.lines(2)
    return found


@contextmanager
def copied(original: TwoWorkers, server: DatabaseServer, folder: Path) -> Iterator[TwoWorkers]:
    """Give a copy of a run, with its folders in `folder`."""
    copytree(original.folder, folder, dirs_exist_ok=True)
    with server.database(original.dsn) as dsn:
        copy = TwoWorkers(dsn, folder, original.hosts)
        for number, path in enumerate(copy.folders, 1):
            copy.change(f"UPDATE worker SET place = '{gethostname()}:{path}' WHERE id = {number}")  # noqa: S608
            config = path / "config.toml"
            config.write_text(config.read_text("utf-8").replace(original.dsn, dsn), "utf-8")
        yield copy
