"""The fault of a text that is no threshold, in words: what is wrong with it, and what to write instead.

Rules
- A message names the first fault that it finds, and the text that was meant where there is no doubt about it.
- The names that other load testers give to a figure lead to the name here.
Runs on: anywhere (pure).
"""

import re
from difflib import get_close_matches

_LOOSE = re.compile(r"\s*([^<>={}\s]+)\s*(\{.+\})?\s*(<=|>=|==?|<|>)\s*(\d+(?:\.\d+)?)\s*([^\s<>=]*)\s*")
_EXPECTED = "such as p99<50ms, mean<=5ms, max<1s, errors<0.1%, status_503<1%, rate>=1000 or p99{stage 2}<50ms"
_FIGURE = re.compile(r"p(?:100|\d{1,2}(?:\.\d{1,4})?)|mean|max|errors|rate|timeout|status_[1-5](?:\d\d|xx)")
_NAMES = ("mean", "max", "errors", "rate", "timeout", "status_503", "status_5xx")
_SYNONYMS = {
    **dict.fromkeys(("avg", "average"), "mean"),
    **dict.fromkeys(("med", "median"), "p50"),
    **dict.fromkeys(("min", "minimum"), "p0"),
    "maximum": "max",
    **dict.fromkeys(("error_rate", "failed", "failures", "fails", "http_req_failed"), "errors"),
    **dict.fromkeys(("rps", "qps", "reqs", "http_reqs", "throughput"), "rate"),
}


def fault_of(text: str) -> str:
    """Return what is wrong with a text that is no threshold, and what to do."""
    if len(re.findall(r"[<>]=?|==?", re.sub(r"\{.*?\}+", "", text))) > 1:
        return "these are two thresholds: repeat --threshold, once for each"
    match = _LOOSE.fullmatch(text)
    if match is None:
        return f"expected a figure, a comparison and a limit, {_EXPECTED}"
    figure, scope, sign, number, unit = match.groups()
    scope = scope or ""
    if not _FIGURE.fullmatch(figure):
        meant = _meant(figure)
        return f"there is no figure {figure!r}: " + (f"write {meant}" if meant else f"expected one {_EXPECTED}")
    if sign.startswith("="):
        return f"compare with <, <=, > or >=: {figure}{scope}<{number}{unit}"
    if figure == "rate":
        return f"{unit!r} is no unit of a rate: write rate{scope}{sign}{number}, in requests per second"
    is_share = figure in {"errors", "timeout"} or figure.startswith("status_")
    right, units = ("%", "%, of the requests") if is_share else ("ms", "us, ms or s")
    fault = f"{unit!r} is no unit of {figure} ({units})" if unit else "the unit is missing"
    return f"{fault}: write {figure}{scope}{sign}{number}{right}"


def _meant(figure: str) -> str | None:
    """Return the name of the figure that was meant; None = it is anyone's guess."""
    low = figure.lower()
    if low in _SYNONYMS:
        return _SYNONYMS[low]
    if re.fullmatch(r"p99\d{1,4}", low):
        return f"p99.{low[3:]}"
    if re.fullmatch(r"[1-5](xx|\d\d)", low):
        return f"status_{low}"
    return next(iter(get_close_matches(low, _NAMES, n=1)), None)
