"""core.keywords: the options of scripts have one name and one shape everywhere."""

import pytest

from crawler.core.config import OPTIONS
from crawler.core.errors import UsageError
from crawler.core.keywords import by_keyword, values_of
from crawler.downloader.client_options import Options
from crawler.load.config import LOAD_OPTIONS

CRAWL = by_keyword(OPTIONS.values())
LOAD = by_keyword(LOAD_OPTIONS.values())


def test_an_option_has_one_keyword_everywhere() -> None:
    """An option that a crawl and a `Fetcher` have in common has one name; a `Fetcher` has few of its own."""
    assert set(Options.__annotations__) - set(CRAWL) == {
        *("base_url", "follow_redirects", "max_redirects", "on_request", "on_response", "on_retry"),
        *("session", "transport", "unix_socket"),
    }
    assert {option.name for option in CRAWL.values()} == set(OPTIONS)
    assert {"headers", "thresholds"} <= set(LOAD)


def test_values_are_written_as_the_options_read_them() -> None:
    """Mappings and pairs become headers, a pair a user, any iterable a list; None is not given."""
    given = {"headers": {"A": "b: c"}, "auth": ("me", "p:w"), "insecure_hosts": {"h"}, "max_pages": None, "delay": "2s"}

    assert values_of(given, CRAWL, "crawl") == {
        "header": ["A: b: c"],
        "user": "me:p:w",
        "insecure-host": ["h"],
        "delay": "2s",
    }


def test_an_unknown_keyword_names_the_nearest() -> None:
    """The function that was called is named, too."""
    with pytest.raises(UsageError, match="load_test: there is no option 'header'; did you mean 'headers'"):
        values_of({"header": []}, LOAD, "load_test")
