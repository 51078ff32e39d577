"""Entries of the journal: everything that one group commit makes durable.

Runs on: anywhere (pure).
"""

from collections.abc import Mapping, Sequence

import msgspec

from crawler.core.finds import Find
from crawler.core.leases_and_commits import Group, HostState, RobotsCopy, SeedBatch
from crawler.core.messages import Request
from crawler.core.urls import Host
from crawler.core.visits import Retry, Visit

_ENTRY_BYTES = 1024  # for an entry without a body
_FIND_BYTES = 650  # so that a group holds at most 50,000 links


class RobotsNote(msgspec.Struct, frozen=True):
    """One origin's robots.txt, for later leases and lives."""

    origin: str
    copy: RobotsCopy


class HostNote(msgspec.Struct, frozen=True):
    """The state of one host's throttle, for later leases and lives."""

    host: Host
    state: HostState


class LeaseReturn(msgspec.Struct, frozen=True):
    """Leases that are handed back unasked: their URLs are pending again."""

    requests: tuple[Request, ...]


class LooseFinds(msgspec.Struct, frozen=True):
    """URLs that no page linked to, such as the sitemaps that a robots.txt names."""

    finds: tuple[Find, ...]


Entry = Visit | Retry | SeedBatch | RobotsNote | HostNote | LeaseReturn | LooseFinds


def weigh(entry: Entry) -> int:
    """Return roughly how many bytes of memory the entry takes."""
    if isinstance(entry, Visit):
        return _ENTRY_BYTES + entry.size + _FIND_BYTES * len(entry.finds)
    if isinstance(entry, LooseFinds):
        return _FIND_BYTES * len(entry.finds)
    if isinstance(entry, SeedBatch):
        return _FIND_BYTES * (len(entry.finds) + len(entry.rejected))
    return _ENTRY_BYTES


def group_of(entries: Sequence[Entry], visits: Sequence[Visit], files: Mapping[str, int], seconds: float) -> Group:
    """Return the transaction for these entries; `visits` stand in for theirs, as the sinks have written them."""
    return Group(
        visits=tuple(visits),
        retries=tuple(entry for entry in entries if isinstance(entry, Retry)),
        finds=tuple(find for entry in entries if isinstance(entry, LooseFinds) for find in entry.finds),
        seeds=tuple(entry for entry in entries if isinstance(entry, SeedBatch)),
        returned=tuple(request for entry in entries if isinstance(entry, LeaseReturn) for request in entry.requests),
        hosts={entry.host: entry.state for entry in entries if isinstance(entry, HostNote)},
        robots={entry.origin: entry.copy for entry in entries if isinstance(entry, RobotsNote)},
        files=files,
        seconds=seconds,
    )
