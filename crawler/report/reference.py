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
        if isinstance(option.default, bool):
            default = "on" if option.default else "off"
        else:
            default = "" if option.default is None or option.default == () else str(plain(option.default))
        rows.append(f"| {flag} | {default} | {resumes} | {option.help.text} |")
    return "\n".join(rows)
