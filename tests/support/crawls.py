"""Whole crawls in a test: a real frontier, journal and engine, and whatever fetcher the test gives."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from crawler.build import Environment, assemble
from crawler.core.config import configure
from crawler.core.protocols import Fetcher
from crawler.engine.crawl import Crawl, Ending
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.seed_lists import SeedList
from crawler.runtime.loop import Stop

BASE = "http://127.0.0.1:8080"


def pages(count: int) -> list[str]:
    """A list of URLs of one host."""
    return [f"{BASE}/{number}" for number in range(count)]


async def assembled(
    stack: AsyncExitStack, folder: Path, lines: Iterable[str], environment: Environment, **options: object
) -> Crawl:
    """A fetch of a list in `folder`, or of what is there; options by their name, with underscores.

    With `command="crawl"` links are followed.
    """
    run = RunFolder(folder)
    if not run.seeds.exists():
        run.path.mkdir(parents=True, exist_ok=True)
        run.seeds.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    command = str(options.pop("command", "fetch"))
    values = {"robots": False, "workers": 0, **{name.replace("_", "-"): value for name, value in options.items()}}
    config = configure(values)
    facts = RunFacts(command=command, sources=(SeedList("list", 1),), config=config)
    return await assemble(stack, run, facts, environment)


async def crawl(
    folder: Path,
    lines: Iterable[str],
    fetcher: Fetcher,
    *,
    stop: Stop | None = None,
    say: Callable[[str], None] = lambda _: None,
    **options: object,
) -> Ending:
    """Run a fetch in real time; see `assembled`. What the user would be told goes to `say`."""
    environment = Environment(stop=stop or Stop(), say=say, jitter=lambda: 0.0, around=lambda _: fetcher)
    async with AsyncExitStack() as stack:
        return await (await assembled(stack, folder, lines, environment, **options)).run()


def records(folder: Path) -> list[dict[str, object]]:
    """Every line of `pages.jsonl`."""
    return [msgspec.json.decode(line) for line in (folder / "pages.jsonl").read_bytes().splitlines()]


def urls(folder: Path) -> Counter[str]:
    """Return how often each URL stands in the output."""
    return Counter(str(record["url"]) for record in records(folder))


def rejected(folder: Path) -> list[dict[str, object]]:
    """Every line of `rejected.jsonl`."""
    return [msgspec.json.decode(line) for line in (folder / "rejected.jsonl").read_bytes().splitlines()]
