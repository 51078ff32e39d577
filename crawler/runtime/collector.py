"""The cycle collector: how often it runs.

Runs on: any process, at its start.
"""

import gc


def collect_less_often() -> None:
    """Let the collector run less often, and never visit again what lives now.

    Each of its rounds visits thousands of live tasks, or all that imports have made. Measured: a quarter of the CPU
    time with 5,000 fetches in flight, a tenth of a start.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
