"""The dates that sitemaps and feeds write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse.dates import as_rfc_3339


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # W3C datetimes
        ("2024-05-01", "2024-05-01"),
        (" 2024-05-01\n", "2024-05-01"),
        ("2024-05-01T12:30Z", "2024-05-01T12:30:00Z"),
        ("2024-05-01T12:30:15Z", "2024-05-01T12:30:15Z"),
        ("2024-05-01T12:30:15.123456+02:00", "2024-05-01T10:30:15Z"),
        ("2024-12-31T23:30:00-05:00", "2025-01-01T04:30:00Z"),
        ("2024-05-01t12:30:15z", "2024-05-01T12:30:15Z"),
        ("2024-05-01 12:30:15", "2024-05-01T12:30:15Z"),  # without a zone
        # RFC 822 and its successors
        ("Wed, 01 May 2024 12:30:15 GMT", "2024-05-01T12:30:15Z"),
        ("1 May 2024 12:30 +0200", "2024-05-01T10:30:00Z"),
        ("Wed, 01 May 24 12:30:15 EST", "2024-05-01T17:30:15Z"),
        ("Fri, 31 Dec 99 23:59:60 UT", "1999-12-31T23:59:59Z"),
        ("Wed, 01 May 2024 12:30:15", "2024-05-01T12:30:15Z"),
        ("Wednesday, 11 Sept 2024 12:30:15 -0330", "2024-09-11T16:00:15Z"),
        # no dates
        ("2024", None),
        ("2024-05", None),
        ("2024-13-01", None),
        ("2024-W18-3", None),
        ("2024-05-01T25:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),  # before the first year
        ("Wed, 31 Foo 2024 12:30:15 GMT", None),
        ("Wed, 31 Feb 2024 12:30:15 GMT", None),
        ("Wed, 01 May 2024 12:30:15 +9999", None),
        ("yesterday", None),
        ("", None),
        ("2024-05-01" + " " * 100, "2024-05-01"),
        ("2024-05-01T12:30:15." + "1" * 100 + "Z", None),
    ],
)
def test_a_date_is_kept_as_rfc_3339_or_not_at_all(text: str, expected: str | None) -> None:
    """A day stays a day, a moment is in UTC."""
    assert as_rfc_3339(text) == expected


@given(st.text(alphabet="0123456789-:TZ+. ,ADJanMonGMT\N{ARABIC-INDIC DIGIT ONE}", max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    """Any text becomes a date in ASCII or nothing, and such a date stays as it is."""
    found = as_rfc_3339(text)

    assert found is None or (found.isascii() and as_rfc_3339(found) == found)
