"""report.why.answer: the conclusion, and the ways to change it; real runs are in journeys/test_why.py."""

from typing import Any

import pytest

from crawler.core.leases_and_commits import Totals
from crawler.core.reasons import UNREAD, Reason
from support.url_histories import NOW, a_row, ask, pending, skipped


@pytest.mark.parametrize(
    ("facts", "options", "conclusion", "change"),
    [
        ({"row": pending()}, {}, "the run ended before its turn came", "crawler resume 'my run'"),
        (
            {"row": pending(not_before=NOW + 60, attempts=1)},
            {},
            "it waits until 2023-11-14 22:14:20 UTC for its next try",
            "crawler resume 'my run'",
        ),
        (
            {"row": pending(is_suspect=True)},
            {},
            "the process died repeatedly while fetching it, so it is fetched alone, last of all",
            "crawler resume 'my run'",
        ),
        (
            {"row": pending(), "totals": Totals(bytes=2048)},
            {"max-bytes": "2K"},
            "--max-bytes 2048 is spent",
            "crawler resume 'my run' --max-bytes N, N above 2048",
        ),
    ],
)
def test_what_a_pending_page_waits_for_is_told(
    facts: dict[str, Any], options: dict[str, object], conclusion: str, change: str
) -> None:
    """A budget, a retry, its turn alone, or only a resume."""
    answer = ask(options=options, **facts)

    assert answer.conclusion == f"Not fetched yet: {conclusion}."
    assert answer.change == (change,)


@pytest.mark.parametrize(
    ("facts", "options", "change"),
    [
        (
            {"row": skipped(Reason.NOFOLLOW)},
            {},
            ("a new run with --no-robots, if the site is yours", "crawler fetch http://h/a"),
        ),
        ({"row": skipped(Reason.HOP_LIMIT)}, {}, ("a new run from another page", "crawler fetch http://h/a")),
        (
            {"row": skipped(Reason.NOT_INCLUDED)},
            {"include": ["/docs/", "/b"]},
            ("a new run with an --include that matches it besides '/docs/', '/b'", "crawler fetch http://h/a"),
        ),
        ({"row": a_row(reason=Reason.BODY_LIMIT)}, {}, ("a new run with a larger --max-body",)),
        ({"row": None, "is_list_read": False}, {}, ("crawler resume 'my run'",)),
    ],
)
def test_what_would_change_it_is_told(
    facts: dict[str, Any], options: dict[str, object], change: tuple[str, ...]
) -> None:
    """The option that decided; or the page by itself, where nothing but links was in the way."""
    assert ask(options=options, **facts).change == change


@pytest.mark.parametrize("reason", sorted(UNREAD))
def test_an_answer_that_was_not_read_is_told_as_such(reason: Reason) -> None:
    """Each reason has words of its own, and such an answer is never told as a page like any other."""
    answer = ask(row=a_row(reason=reason))

    assert answer.conclusion.startswith(f"Fetched: 200 ({reason}), but not read in full: ")
    assert len(answer.conclusion) > len(f"Fetched: 200 ({reason}), but not read in full: .")
