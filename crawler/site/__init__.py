"""SERVES the built-in site: what newcomers crawl, what tests crawl, what load tests hit."""
