"""Download many files at once: each appears when it is complete, and is asked for again if it breaks."""

import asyncio
import sys
from pathlib import Path

import crawler


async def main(urls: list[str], folder: Path) -> None:
    """Save the files under their numbers; 64 at once."""
    async with crawler.Fetcher(concurrency=64) as fetcher, asyncio.TaskGroup() as group:

        async def download(number: int, url: str) -> None:
            try:
                async with fetcher.open("GET", url) as answer:
                    await answer.save(folder / f"{number}.html")
            except crawler.FetchError as error:
                print(error.reason, url, error, file=sys.stderr)

        for number, url in enumerate(urls):
            group.create_task(download(number, url))


base = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"
downloads = Path("downloads")
downloads.mkdir(exist_ok=True)
asyncio.run(main([base] * 200, downloads))
files = list(downloads.iterdir())
print(len(files), "files,", sum(file.stat().st_size for file in files), "bytes")
