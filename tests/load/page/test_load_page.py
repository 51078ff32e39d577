"""load.page.load_page: verdict first, nothing loaded, nothing run, and bounded whatever the test was."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest

from crawler.load.counts import Table
from crawler.load.page.load_page import HOW_TO_READ, load_page
from crawler.load.records import Example, Phase
from crawler.load.result import LoadResult, LoadVerdict
from support.html_pages import parsed
from support.load_results import load_result
from support.load_runs import believable

SECTIONS = (
    *("Over time", "How the times are spread", "Steps and outcomes", "Targets", "Stages", "Setup", "How to read it"),
)
HOSTILE = (
    "</title></style><script>alert(1)</script>",
    '"><img src=http://192.0.2.1/x onerror=alert(1)>',
    "' style='background:url(//192.0.2.1)'",
    "\u202etxt.exe \x1b[31m \x00 \ud800",
    "]]><!--",
)


@pytest.fixture(scope="module")
def run() -> LoadResult:
    """A believable test of a minute."""
    return believable()


def test_the_page_answers_in_the_order_of_the_questions(run: LoadResult) -> None:
    """The verdict with its reason, the next step and the gates come before every figure."""
    page = parsed(load_page(run, [("p99<50ms", True, "38 ms"), ("errors<0.1%", False, "1.2 %")], {"program": "x 1"}))

    (body,) = page.named("main")
    words = " ".join(body.text.split())
    places = [words.index(text) for text in (str(run.verdict), "Next:", "kept", "MISSED", "p50 response time")]
    assert run.because[1:] in words
    assert places == sorted(places)
    assert [heading.text for heading in page.named("h2")] == list(SECTIONS)
    assert [figure.text for figure in page.named("h3")] == [
        *("Rate requests per second", "Latency response time, log scale", "Errors per second, by kind"),
        *("Load requests in flight, connections", "The client: loop lag p99, log scale"),
        *("The client: processor share of a core", "Percentile curve each step right is ten times rarer"),
        "Heat map response time, log scale",
    ]


def test_every_chart_is_told_and_explained(run: LoadResult) -> None:
    """Each image has a label, each table a caption, and each chart two sentences that say how it is read."""
    page = parsed(load_page(run))

    charts = [one for one in page.named("svg") if one.attributes.get("class") == "chart"]
    assert len(charts) == 8
    assert all(one.attributes["role"] == "img" and len(one.attributes["aria-label"]) > 20 for one in charts)
    assert len(page.named("caption")) == len(page.named("table"))
    assert all(heading.attributes["scope"] in {"col", "row"} for heading in page.named("th"))
    for title in page.named("h3"):
        assert any(title.text.startswith(known) for known in HOW_TO_READ), title.text
    assert all(len(re.findall(r"\.(?= |$)", text)) == 2 for text in HOW_TO_READ.values())


def test_the_page_forbids_itself_everything_but_its_own_style(run: LoadResult) -> None:
    """The policy has the hash of the one style; there is no script, no handler, no style attribute and no address."""
    page = parsed(load_page(run))

    (style,) = page.named("style")
    policy = next(one.attributes["content"] for one in page.named("meta") if "http-equiv" in one.attributes)
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert not page.named("script", "img", "link", "iframe", "object", "embed", "base", "form", "image", "use", "a")
    names = {name for element in page.elements for name in element.attributes}
    assert not [name for name in names if name.startswith("on") or name in {"style", "src", "href", "xlink:href"}]
    assert not re.search(r"@import|url\((?!#)", style.text)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_servers_and_users_stays_text(text: str) -> None:
    """URL, group, stage, kind, detail and facts reach the page as text, in one line that shows what it is."""
    phase = Phase(name=text, end=2_000_000_000, scheduled=3, sent=3, answered=3)
    phase.fail(text, Example(at=1, took=1_000_000, port=1, detail=text))
    result = load_result([phase, replace(phase, measured=False)], groups=[phase], url=text, address=text, good=text)
    plain = load_result([replace(phase, name="n")], groups=[phase], url="u")

    page, usual = parsed(load_page(result, [(text, False, text)], {text: text})), parsed(load_page(plain))

    assert not page.named("script", "img")
    assert len(page.named("style")) == len(page.named("title")) - len(usual.named("title")) + 1
    assert not [one for one in page.elements if {"style", "onerror", "src"} & set(one.attributes)]
    shown = page.named("main")[0].text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\ud800]", shown)
    assert shown.count("alert(1)") >= (6 if "alert" in text else 0)


def test_ten_hours_with_hundreds_of_groups_make_a_page_of_bounded_size() -> None:
    """3,600 intervals become at most 300 columns, and 250 groups a hundred rows and a word about the rest."""
    run = believable(seconds=3600, rate=12, groups=[f"GET /{number}" for number in range(250)])

    text = load_page(run)

    page = parsed(text)
    heat = page.elements[next(n for n, one in enumerate(page.elements) if one.attributes.get("class") == "heat")]
    assert len(text.encode()) < 500_000
    assert len(run.intervals) > 1500
    assert heat.name == "svg"
    assert sum(one.text.startswith("GET /") for one in page.named("th")) == 100
    assert "150 groups with fewer requests not shown" in page.named("main")[0].text
    per_chart = [len(part.split("<title>")) - 1 for part in text.split('class="chart"')[1:7]]
    assert max(per_chart) <= 300


def test_a_million_requests_make_no_larger_page(run: LoadResult) -> None:
    """Counts grow and buckets do not."""
    times = 40
    phases = [replace(one, scheduled=one.scheduled * times) for one in run.phases]
    for phase in phases:
        phase.response = Table(int, {number: count * times for number, count in phase.response.items()})
    large = replace(run, phases=tuple(phases))

    text = load_page(large)

    assert large.total.scheduled > 1_000_000
    assert len(text.encode()) < 300_000


def test_a_test_without_a_second_or_an_answer_has_a_page() -> None:
    """There is no chart to draw, and the page says so."""
    empty = load_result([Phase(name="measured")])

    page = parsed(load_page(empty))

    assert "The test ended before its first second had begun." in page.named("main")[0].text
    assert "nothing was sent" in page.named("main")[0].text.lower()


def test_a_missed_gate_takes_the_green_from_a_good_verdict(run: LoadResult) -> None:
    """The card warns; the words of the verdict are those of the terminal."""
    good = replace(run, verdict=LoadVerdict.SERVER_BOUND)
    kept, missed = (load_page(good, [("p99<1s", is_kept, "0.1 s")]) for is_kept in (True, False))

    assert 'class="verdict info"' in kept
    assert 'class="verdict warn"' in missed
    assert 'class="verdict bad"' in load_page(run)  # it is FAILING


def test_checks_that_fail_have_a_table(run: LoadResult) -> None:
    """Beside the failures of requests; a name is text, whatever it looks like."""
    phase = Phase(name="measured", end=10**9, checked=8)
    phase.fail_check(HOSTILE[0], Example(at=10**8, took=0, port=None, detail="user 1: no"))

    text = load_page(load_result([phase]))

    page = parsed(text)
    places = [cell.text for cell in page.named("caption", "td", "th")]
    begin = places.index("Checks that failed: 1 of 8") + 1
    assert places[begin : begin + 6] == ["check", "count", "share", "first at", "last at", "first example"]
    assert places[begin + 7 : begin + 12] == ["1", "12.5 %", "0.10 s", "0.10 s", "user 1: no"]
    assert HOSTILE[0] not in text
    assert "Checks that failed" not in load_page(run)
