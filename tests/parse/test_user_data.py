"""The data of a page: selectors, text, and a function of the user."""

import os
import sys
from asyncio import CancelledError
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from crawler.core.errors import UsageError
from crawler.core.reasons import Reason
from crawler.core.records import MAX_DATA
from crawler.core.text import error_line
from crawler.core.visits import Page
from crawler.parse.document import Wants
from crawler.parse.extract import PageSource, load
from crawler.parse.page_reader import PageReader
from support.pages import CRAWL, answer, read


def given(page: Page) -> object:
    """The data of a page."""
    return None if page.data is None else msgspec.json.decode(page.data)


def nested(depth: int) -> object:
    """Lists in each other, in an object."""
    data: object = 1
    for _ in range(depth - 1):
        data = [data]
    return {"it": data}


class UntellableError(Exception):
    """An error whose text is an error."""

    def __str__(self) -> str:
        raise ValueError("no")


def raiser(error: type[BaseException]) -> Callable[[PageSource], object]:
    """A function that raises it."""

    def function(_page: PageSource) -> object:
        raise error

    return function


def test_selectors_text_and_a_function_give_data() -> None:
    """All that was asked for stands in `data`; a function's own keys win."""
    wants = Wants(text=True, selectors=(("first", "a::attr(href)"),))
    page = read(answer(), replace(CRAWL, wants=wants, extract="json:dumps"))

    assert page.problem is Reason.EXTRACT_ERROR  # json.dumps does not take a page
    assert page.error == "TypeError: Object of type PageSource is not JSON serializable"
    assert given(page) == {"first": ["/b", "/c", "#top"], "text": "bctop"}


@pytest.mark.parametrize(
    ("function", "data", "problem"),
    [
        (lambda page: {"title": page.title, "n": len(page.links)}, {"title": "A page", "n": 4}, None),
        (lambda page: page.css("a::text"), {"value": ["b", "c", "top"]}, None),
        (lambda _: None, None, None),
        (lambda _: {1, 2}, {"value": [1, 2]}, None),
        (lambda _: object(), None, Reason.EXTRACT_ERROR),
        (lambda _: "x" * (MAX_DATA + 1), None, Reason.DATA_LIMIT),
        (lambda _: nested(100), nested(100), None),
        *((lambda _, depth=depth: nested(depth), None, Reason.EXTRACT_ERROR) for depth in (101, 500, 900, 10_000)),
        (lambda _: msgspec.Raw(b"garbage"), None, Reason.EXTRACT_ERROR),
        (lambda _: "\ud800", None, Reason.EXTRACT_ERROR),
        (lambda _: 1 / 0, None, Reason.EXTRACT_ERROR),
        (lambda _: sys.exit(3), None, Reason.EXTRACT_ERROR),
        (raiser(KeyboardInterrupt), None, Reason.EXTRACT_ERROR),
        (raiser(GeneratorExit), None, Reason.EXTRACT_ERROR),
        (raiser(CancelledError), None, Reason.EXTRACT_ERROR),
        (raiser(StopIteration), None, Reason.EXTRACT_ERROR),
        (raiser(UntellableError), None, Reason.EXTRACT_ERROR),
    ],
)
def test_what_a_function_may_return(
    function: Callable[[PageSource], object], data: object, problem: Reason | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON, of bounded size; anything else costs the page its data and nothing more."""
    monkeypatch.setattr("builtins.extracting_function", function, raising=False)

    page = read(answer(), replace(CRAWL, extract="builtins:extracting_function"))

    assert (given(page), page.problem, page.title) == (data, problem, "A page")


def test_what_a_function_raised_is_told() -> None:
    """Its kind and text in one line, whatever the text holds, and though there may be none."""
    assert error_line(ValueError("no\nsuch\ud800thing")) == "ValueError: no\\u000asuch\\ud800thing"
    assert error_line(UntellableError()) == "UntellableError: its text cannot be had"
    assert error_line(SystemExit()) == "SystemExit"


def test_what_a_function_prints_is_no_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes to standard error, where nobody takes it for a line of the crawl's."""
    monkeypatch.setattr("builtins.extracting_function", lambda _: sys.stdout.write("hello"), raising=False)

    read(answer(), replace(CRAWL, extract="builtins:extracting_function"))

    assert capsys.readouterr() == ("", "hello")


def test_a_function_that_forks_comes_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy ends: it would go on as a second crawl."""
    monkeypatch.setattr("builtins.extracting_function", lambda _: {"copy": os.fork()}, raising=False)

    data = given(read(answer(), replace(CRAWL, extract="builtins:extracting_function")))

    assert isinstance(data, dict)
    assert os.waitpid(data["copy"], 0) == (data["copy"], 0)


def test_all_data_of_a_page_is_bounded() -> None:
    """Nested elements have their texts again and again: what comes first is kept, and the reason says so."""
    page = read(answer(b"<div>" * 500 + b"x" * 50_000), replace(CRAWL, wants=Wants(selectors=(("x", "div"),))))

    assert page.problem is Reason.DATA_LIMIT
    assert given(page) == {"x": ["x" * 50_000] * 19}
    assert page.weight == len(bytes(page.data or b""))


def test_data_that_is_too_long_as_json_is_not_kept() -> None:
    """Control characters take six bytes each; the line says how many it would be."""
    page = read(answer(b"<p>" + b"\x01" * 900_000), replace(CRAWL, wants=Wants(text=True)))

    assert (page.data, page.problem) == (None, Reason.DATA_LIMIT)
    assert page.error == f"its data takes 5400011 bytes as JSON, and {MAX_DATA} are taken"


@pytest.mark.parametrize(
    "wants",
    [
        Wants(text=True, selectors=(("text", "p"),)),
        Wants(selectors=(("a", "p"), ("b", "p"), ("a", "h1"))),
    ],
)
def test_two_parts_of_the_data_need_two_names(wants: Wants) -> None:
    """One would silently replace the other."""
    with pytest.raises(UsageError, match="would have the name"):
        PageReader(replace(CRAWL, wants=wants))


@pytest.mark.parametrize(
    "fault", ["def f(:", "1 / 0", "import sys; sys.exit(4)", "raise KeyError", "print('hi'); import nosuch"]
)
def test_a_module_that_fails_is_refused_at_the_start(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any failure of the import is told in one line; what the module prints is no output."""
    (tmp_path / "faulty.py").write_text(fault)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(UsageError, match=r"'faulty:f' cannot be imported: \w+"):
        load("faulty:f")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["", "json", "json:", ":x", "json:nothing", "no_such_module:x", "json:__name__"])
def test_what_is_no_function_is_refused_at_the_start(name: str) -> None:
    """A typing error is told before anything is fetched."""
    with pytest.raises(UsageError, match="extract"):
        load(name)
