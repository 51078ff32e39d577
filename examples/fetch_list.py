"""Fetch a list of URLs without an event loop of your own, and without a `__main__` guard."""

import sys

import crawler

urls = sys.argv[1:] or ["http://127.0.0.1:8000/", "http://127.0.0.1:8000/nothing-here"]  # `crawler serve` serves them

for page in crawler.fetch(urls, concurrency=10):
    print(page.status, len(page.content), page.url, page.error or "")
