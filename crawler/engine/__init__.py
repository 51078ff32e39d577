"""CONDUCTS a crawl: seeds in, visits committed, until nothing eligible is pending."""
