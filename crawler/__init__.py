"""One asyncio engine that crawls sites, fetches URL lists and load-tests local servers."""
