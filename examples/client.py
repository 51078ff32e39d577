"""The library as an HTTP client: methods, bodies, headers, authentication, errors that say what happened."""

import asyncio
import sys

import crawler


async def main(base: str) -> None:
    """Try each against one server."""
    async with crawler.Fetcher(headers={"X-Example": "yes"}, timeout=10, retries=0) as fetcher:
        head = await fetcher.head(base)
        print("HEAD", head.status, head.headers.get("content-length"))
        answer = await fetcher.post(base, json={"hello": "world"}, auth=("user", "password"))
        print("POST", answer.status)
        try:
            await fetcher.get("http://127.0.0.1:9/")  # a port that is no web server's
        except crawler.UrlError as error:
            print(error.reason, "-", error)
        try:
            await fetcher.get("http://127.0.0.1:4/")  # nothing listens there
        except crawler.FetchError as error:
            print(error.reason, "-", error)


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"))
