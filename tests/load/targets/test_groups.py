"""load.targets.groups: requests are told apart by what they ask for, not by whose."""

import pytest

from crawler.load.targets.groups import group_name, merged


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/", "/"),
        ("/users/42/orders?page=2", "/users/{id}/orders"),
        ("/o/6f1d2c3b-0000-4abc-8def-0123456789ab", "/o/{id}"),
        ("/blob/9fceb02d0ae598e95dc970b74767f19372d61af8", "/blob/{id}"),
        ("/news/2024-02-29/today", "/news/{id}/today"),
        ("/static/app.3f2a9c1b.js", "/static/app.{id}.js"),
        ("/pages/17.html", "/pages/{id}.html"),
        ("/t/eyJhbGciOi1JIUzI1NiJ9x2", "/t/{id}"),
        ("/users/${id}/${kind}", "/users/{id}/{kind}"),
        ("/api/v1/search", "/api/v1/search"),
        ("/blog/how-to-make-a-good-cake", "/blog/how-to-make-a-good-cake"),
        ("/docs/concurrency", "/docs/concurrency"),
        ("//a//7/", "//a//{id}/"),
    ],
)
def test_variable_parts_of_a_path_are_taken_out(path: str, group: str) -> None:
    """Numbers, UUIDs, digests, dates, tokens and columns; words stay."""
    assert group_name("GET", path) == f"GET {group}"


def test_at_most_a_hundred_groups_are_shown() -> None:
    """The most common 99 keep their names, and the rest count together."""
    names = [f"GET /{letter}" for letter in range(1000, 1150)]

    shown, places = merged(names, [2 if number < 120 else 9 for number in range(150)])

    assert len(shown) == 100
    assert shown[:30] == tuple(names[120:])
    assert shown[99] == "other"
    assert places[120:] == list(range(30))
    assert places.count(99) == 150 - 99


def test_a_hundred_groups_are_all_shown() -> None:
    """No group is merged as long as there is room."""
    names = [f"GET /{letter}" for letter in range(100)]

    shown, places = merged(names, [1] * 100)

    assert sorted(shown) == sorted(names)
    assert [shown[place] for place in places] == names


def test_a_name_from_a_file_is_safe_to_show() -> None:
    """It moves no cursor, and is no longer than a line."""
    shown, places = merged(["GET /\x1b[2J", "GET /" + "x" * 1000], [2, 1])

    assert shown[0] == "GET /\\u001b[2J"
    assert len(shown[1]) == 100
    assert places == [0, 1]
