"""runtime.endings: a signal ends the command with one line and the exit code of a shell, whatever it imports."""

import signal
import subprocess
import sys

import pytest

# The process sends itself the signal as soon as a module is asked for.
STRUCK = """
import os, signal, sys

class Strike:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), int(signum))

_, module, signum, *rest = sys.argv
sys.argv[1:] = rest
sys.meta_path.insert(0, Strike())
{before}
from crawler.__main__ import main
main()
"""


def struck(module: str, signum: int, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command, which gets this signal when it imports this module."""
    code = STRUCK.replace("{before}", before)
    return subprocess.run(
        [sys.executable, "-c", code, module, str(signum), *arguments], check=False, capture_output=True, text=True
    )


MODULES = ("crawler.cli.main", "click", "crawler.core.errors", "crawler.cli.load", "crawler.load.config", "msgspec")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("module", MODULES)
def test_a_signal_during_an_import_is_no_traceback(module: str, signum: signal.Signals) -> None:
    """The first half of a second passes with imports."""
    ended = struck(module, signum, "load", "http://127.0.0.1:9/", "-n", "1")

    assert ended.returncode == 128 + signum
    assert ended.stderr.strip("\n") == "crawler: interrupted"
    assert not ended.stdout


def test_a_signal_that_is_ignored_stays_so() -> None:
    """`nohup` and a shell's `&` ignore for their children."""
    ended = struck("click", signal.SIGINT, "--version", before="signal.signal(signal.SIGINT, signal.SIG_IGN)")

    assert ended.returncode == 0
    assert ended.stdout.startswith("crawler, version")
