"""The table of options in `docs/reference.md`, made from the config.

Runs on: anywhere (pure).
"""

from collections.abc import Mapping

from crawler.core.options import Option, plain


def options_table(options: Mapping[str, Option]) -> str:
    """Return a Markdown table with a row per option: flag, default, meaning, and R if `resume` takes it."""
    rows = ["| option | default | | meaning |", "|---|---|---|---|"]
    for option in options.values():
        metavar = option.metavar.replace("|", "\\|")
        letter = f"`-{option.help.short}`, " if option.help.short else ""
        flag = f"{letter}`--{option.name} {metavar}`" if metavar else f"`--{option.name}`, `--no-{option.name}`"
        resumes = "R" if option.help.resumable or option.help.secret else ""
        rows.append(f"| {flag} | {_default(option)} | {resumes} | {option.help.text} |")
    return "\n".join(rows)


def _default(option: Option) -> str:
    if option.default is None or option.default == ():
        return ""
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return str(plain(option.default))
