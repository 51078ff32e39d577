"""Stages of users: how many take part at each moment, and so when each user begins and leaves.

Rules
- Between two stages the number changes in a straight line, beginning at 0, as with stages of rates.
- User n takes part while the line is above n. So the first user begins at once, and a plateau of N has N users.
- A user that leaves ends its request first.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from crawler.load.nanoseconds import nanoseconds

Stay = tuple[int, int | None]
"""The nanoseconds after the start at which a user begins and leaves; None = it stays until the end."""


@dataclass(frozen=True, slots=True)
class UserStages:
    """The number of users over time: for each stage its seconds, and the users at its end."""

    stages: Sequence[tuple[float, float]]

    @property
    def most(self) -> int:
        """Return the largest number of users at one moment."""
        return ceil(max((users for _, users in self.stages), default=0))

    def stays(self, user: int) -> list[Stay]:
        """Return when this user, counted from 0, takes part."""
        stays: list[Stay] = []
        since: int | None = None
        time, levels = 0, pairwise([0.0, *(users for _, users in self.stages)])
        for (seconds, _), (before, after) in zip(self.stages, levels, strict=True):
            length = nanoseconds(seconds)
            if since is None and after > user:
                since = time + (0 if before > user else round(length * (user - before) / (after - before)))
            elif since is not None and after <= user:
                stays.append((since, time + round(length * (before - user) / (before - after))))
                since = None
            time += length
        return stays if since is None else [*stays, (since, None)]
