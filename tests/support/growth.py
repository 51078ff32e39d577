"""The growth of a function's time with the size of its input."""

import time
from collections.abc import Callable


def grows_linearly(run: Callable[[int], object], size: int) -> bool:
    """Return whether twice the size takes about twice the time: quadratic work takes four times as much.

    Times are CPU times of this thread; the best of three tries counts, so a busy machine changes nothing.
    """
    return any(_seconds(run, 2 * size) < 3 * _seconds(run, size) + 0.01 for _ in range(3))


def _seconds(run: Callable[[int], object], size: int) -> float:
    started = time.thread_time()
    run(size)
    return time.thread_time() - started
