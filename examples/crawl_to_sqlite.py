"""Crawl a site into a database: each page is stored when the crawl has it safe, with a value taken from its text."""

import asyncio
import sqlite3
import sys

import crawler


def words(page: crawler.PageSource) -> int:
    """Return the number of words of a page."""
    return len(page.text.split())


async def main(seed: str) -> None:
    """Store 50 pages of the site."""
    database = sqlite3.connect("pages.sqlite")
    database.execute("create table if not exists page (url text primary key, status int, title text, words int)")
    async for page in crawler.crawl([seed], max_pages=50, extract=words):
        row = (page.url, page.status, page.title, page.data["value"] if page.data else None)
        with database:
            database.execute("insert or replace into page values (?, ?, ?, ?)", row)
    print(database.execute("select count(*), sum(words) from page").fetchone(), "pages and words")
    database.close()


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"))
