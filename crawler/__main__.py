"""`python -m crawler`, and the command `crawler`: it listens to signals first, then imports what it needs.

Runs on: the main thread.
"""

from crawler.runtime.endings import end_at_once


def main() -> None:
    """Run the command line and exit with its code."""
    end_at_once()
    from crawler.cli.main import main as command  # noqa: PLC0415 - the handlers come first

    command()


if __name__ == "__main__":
    main()
