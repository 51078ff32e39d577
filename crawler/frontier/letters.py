"""Letters: what was found of a host that another worker has, on its way to the worker that has that host next.

Runs on: anywhere (pure).
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from crawler.core.finds import Find
from crawler.core.sessions import InSession
from crawler.core.urls import Host


class Letter(msgspec.Struct, frozen=True, array_like=True):
    """A find of a URL of another worker's host, or news that a place has come into scope where it has URLs.

    Attributes:
        find: None = look again at the URLs of the host that were left out of scope.
        referrer: the row of the page that leads there; None = none does.
        in_session: the document that links to it shows that an id in it is a session's.
    """

    find: Find | None
    referrer: int | None = None
    in_session: bool = False


class Witness(msgspec.Struct, frozen=True):
    """A document that is elsewhere, with what it has told of the ids in one link."""

    in_session: bool

    def is_in(self, found: InSession, host: Host) -> bool:
        """Return whether the ids of the URL are those of a session."""
        return self.in_session


class Post(Protocol):
    """The hosts that a transaction may change, and the letters to the others."""

    def claim(self, hosts: Iterable[Host]) -> None:
        """Ask for these hosts at once, before `is_away` is asked for each."""
        ...

    def is_away(self, host: Host) -> bool:
        """Return whether another worker has this host, so that the transaction may not change what is its."""
        ...

    def send(self, host: Host, letter: Letter) -> None:
        """Send a letter to the worker of a host that is away; it leaves with the transaction."""
        ...

    def tell_site(self, site: str) -> None:
        """Tell the workers of the hosts of this site that are away that a place has come into scope there."""
        ...


class NoPost:
    """The post of a run that one process works on alone: no host is away."""

    def claim(self, hosts: Iterable[Host]) -> None:
        """Do nothing: every host is this process's."""

    def is_away(self, host: Host) -> bool:
        """Return False."""
        return False

    def send(self, host: Host, letter: Letter) -> None:
        """Never be called."""
        raise NotImplementedError

    def tell_site(self, site: str) -> None:
        """Do nothing: there is no other worker."""
