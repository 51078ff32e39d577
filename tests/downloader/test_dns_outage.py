"""downloader.dns_outage: single names without an answer, and name servers that are out."""

from collections.abc import Callable

from crawler.downloader.dns_outage import DnsOutage


class Watched:
    """An outage's judge, with a clock and a root that answer as a test says; `told` are its verdicts by name."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[Callable[[bool], None]] = []
        self.told: dict[str, bool] = {}
        self.outage = DnsOutage(lambda: self.now, self.asked.append)

    def miss(self, *names: str, asked: float = 100.0) -> None:
        """These names got no answer."""
        for name in names:
            self.outage.missed(name, 99.0, asked, lambda is_out, name=name: self.told.update({name: is_out}))  # type: ignore[misc]

    def answer_root(self, is_answered: bool) -> None:
        """The root's servers are known, or not."""
        self.asked.pop()(is_answered)


def test_seven_names_without_an_answer_are_their_own_fault() -> None:
    """Each is told at once; one that fails again counts once."""
    watched = Watched()

    watched.miss(*"abcdefg", *"abcdefg")

    assert watched.told == dict.fromkeys("abcdefg", False)
    assert not watched.asked


def test_the_eighth_waits_until_the_root_is_answered_or_not() -> None:
    """So do those that fail meanwhile."""
    for is_answered in (True, False):
        watched = Watched()

        watched.miss(*"abcdefgh")
        watched.miss("i")
        assert "h" not in watched.told
        assert "i" not in watched.told
        watched.answer_root(is_answered)

        assert watched.told == {**dict.fromkeys("abcdefg", False), "h": not is_answered, "i": not is_answered}
        assert watched.outage.since == (None if is_answered else 99.0)


def test_an_answer_begins_the_count_anew() -> None:
    """Questions from before it no longer count, even if they fail later."""
    watched = Watched()
    watched.miss(*"abcdefg")
    watched.now = 101.0
    watched.outage.answered()

    watched.miss(*"hijklmnop", asked=100.5)

    assert watched.told == dict.fromkeys("abcdefghijklmnop", False)
    assert not watched.asked


def test_what_was_asked_again_since_the_last_answer_counts() -> None:
    """Servers that end while a hundred lookups are under way blame seven of them; out since the last answer."""
    watched = Watched()
    watched.outage.answered()

    watched.miss(*"abcdefgh", asked=102.0)
    watched.answer_root(is_answered=False)

    assert watched.told["h"] is True
    assert watched.outage.since == 100.0


def test_an_answer_while_the_root_is_asked_frees_those_that_wait() -> None:
    """The root's silence then means nothing."""
    watched = Watched()
    watched.miss(*"abcdefgh")

    watched.outage.answered()
    assert watched.told["h"] is False
    watched.answer_root(is_answered=False)

    assert watched.outage.since is None


def test_in_an_outage_one_name_a_second_is_asked() -> None:
    """One at a time; its failure is the outage's."""
    watched = Watched()
    watched.miss(*"abcdefgh")
    watched.answer_root(is_answered=False)
    assert not watched.outage.may_ask("i")

    watched.now += 1
    assert watched.outage.may_ask("i")
    watched.now += 1
    assert not watched.outage.may_ask("j")
    watched.miss("i")

    assert watched.told["i"] is True
    assert watched.outage.may_ask("j")


def test_the_root_ends_an_outage() -> None:
    """Though the name that is asked beside it stays silent."""
    watched = Watched()
    watched.miss(*"abcdefgh")
    watched.answer_root(is_answered=False)
    watched.now += 1
    assert watched.outage.may_ask("i")

    watched.answer_root(is_answered=True)
    watched.miss("i")

    assert watched.outage.since is None
    assert watched.told["i"] is False
