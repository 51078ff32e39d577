"""The page of a load test: verdict first, then the figures behind it, on one time axis.

Rules
- The order is that of questions: is it worth anything, how much, when, how is it spread, where, and what was asked.
- The page is bounded: at most 300 columns of time and 100 groups, however long the test was.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Mapping, Sequence

from crawler.load.page.columns import timeline
from crawler.load.page.distributions import heat_map, percentile_curve
from crawler.load.page.head import client_note, load_verdict, tiles
from crawler.load.page.markup import Html, document, joined, section, tag
from crawler.load.page.tables import (
    checks_table,
    failures_table,
    groups_table,
    outcomes_table,
    parts_table,
    setup_facts,
    statuses_table,
    steps_table,
)
from crawler.load.page.time_charts import (
    client_charts,
    error_chart,
    flight_chart,
    latency_chart,
    rate_chart,
    time_table,
)
from crawler.load.result import LoadResult

HOW_TO_READ = {
    "Rate": (
        "Requests that came due, that ended, and that were answered well, per second."
        " Where the dashed line leaves the solid one, the server or the client could not follow the schedule."
    ),
    "Latency": (
        "Each line is a percentile of the good answers that came in that moment; the dots are the slowest."
        " Percentiles that rise together mean a slower server; a p99 that rises alone means queues, pauses or retries."
    ),
    "Errors": (
        "Requests that ended without a good answer, kinds one above the other."
        " A kind that begins when the rate rises is the server's limit; one that is always there is a fault."
    ),
    "Load": (
        "Requests under way at the end of each moment, under the number of connections or users."
        " When the area reaches the dashed line every connection is busy, and further requests wait."
    ),
    "The client": (
        "How late this tool read answers, and the processor time that it used, on the same time axis."
        " A peak of the latency over a peak of this lag belongs to the client, not to the server."
    ),
    "Percentile curve": (
        "The time that a share of the requests does not exceed; the band is the 95 % interval of each value."
        " A step in the curve is a second kind of answer; the gap between the lines is the wait before sending."
    ),
    "Heat map": (
        "Each cell counts the answers of one moment (across) and one latency (up), on the scale beside the title."
        " Two bands are two kinds of answers, a slope is a growing queue, and a column of colour is a stall."
    ),
    "Steps": (
        "The parts of a request's time with their percentiles: the bar goes from p50 to p99, the tick is the maximum."
        " A long first byte is the server's work; a long connect or TLS step is the cost of new connections."
    ),
}


def load_page(
    result: LoadResult, gates: Sequence[tuple[str, bool, str]] = (), about: Mapping[str, str] | None = None
) -> str:
    """Return the page; each gate is a threshold, whether it was kept, and the figure.

    `about` are facts of the run that the result does not know: versions, the date.
    """
    asked = result.asked
    return document(
        f"{result.verdict}: {asked.method} {asked.url}",
        tag("h1", "Load test of ", tag("b", f"{asked.method} {asked.url}".strip())),
        load_verdict(result, gates),
        tiles(result),
        joined(_parts(result)),
        section("Setup", setup_facts(result, about or {})),
        section("How to read it", _how()),
        tag("footer", "Made by crawler load. This file is complete: it loads nothing and runs nothing."),
    )


def _parts(result: LoadResult) -> Iterator[Html]:
    kind = "response" if result.asked.is_open else "service"
    time = timeline(result.intervals, result.phases)
    if time is None:
        yield section("Over time", tag("p", "The test ended before its first second had begun.", class_="note"))
    else:
        yield section(
            "Over time",
            rate_chart(time),
            latency_chart(time, kind),
            error_chart(time) or "",
            flight_chart(time, word="users" if result.asked.has_user_stages else "connections"),
            client_charts(time, result.asked.processes),
            client_note(result),
            time_table(result.intervals),
        )
    spread = [percentile_curve(result), heat_map(time, kind) if time else None]
    if any(spread):
        yield section("How the times are spread", *filter(None, spread))
    steps = [steps_table(result), tag("div", outcomes_table(result), statuses_table(result) or "", class_="pair")]
    yield section("Steps and outcomes", *filter(None, [*steps, failures_table(result), checks_table(result)]))
    parts = [("Targets", groups_table(result)), (result.asked.parts.capitalize(), parts_table(result))]
    yield from (section(title, part) for title, part in parts if part)


def _how() -> Html:
    rows = [tag("div", tag("dt", title), tag("dd", text)) for title, text in HOW_TO_READ.items()]
    return tag("dl", *rows, class_="how")
