"""engine.lease_term: nothing is sent for hosts whose lease has ended, and everything goes on once it is renewed."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

from support.crawls import urls
from support.shared_runs import SharedFrontier
from support.virtual import START, crawl
from support.web import SLOW, Web, check_manners, hosts, pages

TERM = 6.0


def _away(frontier: SharedFrontier, began: float, ended: float) -> None:
    frontier.renews = lambda now: not START + began < now < START + ended


def test_nothing_is_started_in_the_last_sixth_of_a_term_that_is_not_renewed(tmp_path: Path) -> None:
    """Without a renewal the worker stops a second before its lease of six ends, and goes on as soon as one comes."""
    frontier, web, lines = SharedFrontier(tmp_path, term=TERM), Web(), pages(hosts(5), 60)
    _away(frontier, 10.0, 40.0)

    ending = crawl(tmp_path, lines, web, frontier=frontier.make, delay=0.5, robots=True)

    moments = sorted(asked.at - START for asked in web.asked)
    last = max(moment for moment in moments if moment < 40.0)
    assert 14.0 <= last <= 10.0 + TERM * 5 / 6
    assert min(moment for moment in moments if moment > last) <= 41.1
    assert ending.totals.pending == 0
    assert urls(tmp_path) == dict.fromkeys(lines, 1)
    check_manners(web, delay=0.5, robots=True)


def test_what_is_in_flight_at_the_end_of_the_term_is_broken_off_and_asked_for_again(tmp_path: Path) -> None:
    """Slow answers that would come later are not waited for; no attempt is counted, and no URL is lost."""
    slow = hosts(3, "slow")
    frontier, web = SharedFrontier(tmp_path, term=TERM), Web(dict.fromkeys(slow, SLOW))
    _away(frontier, 0.5, 20.0)

    crawl(tmp_path, pages(slow, 2), web, frontier=frontier.make, delay=0.0, per_host=1, retries=0)

    broken_off = [asked for asked in web.asked if not asked.outcome]
    assert {asked.host for asked in broken_off} == set(slow)
    assert all(asked.ended - START <= 0.5 + TERM + 0.1 for asked in broken_off)
    assert Counter(asked.url for asked in web.answered()) == dict.fromkeys(pages(slow, 2), 1)
    assert urls(tmp_path) == dict.fromkeys(pages(slow, 2), 1)


def test_a_lease_is_asked_for_each_second_though_there_is_nothing_to_lease(tmp_path: Path) -> None:
    """So the term is renewed while a worker waits for slow answers."""
    frontier, web = SharedFrontier(tmp_path, term=TERM), Web({"slow.test": SLOW})

    crawl(tmp_path, ["http://slow.test/"], web, frontier=frontier.make)

    moments = [moment for moment, _ in frontier.wanted]
    assert max(later - earlier for earlier, later in pairwise(moments)) <= 1.1
    assert all(asked.outcome == "ok" for asked in web.asked)
