"""The registrable domain of a host, the name that was registered: `example.co.uk` of `a.b.example.co.uk`.

Rules
- As browsers tell sites apart (URL standard, "registrable domain"): the whole public suffix list counts, its private
  section too, so `alice.github.io` and `bob.github.io` are two.
- A host that has none (an address, a single label, a public suffix itself) is its own domain.
- The list comes with the package `publicsuffixlist`, and is read when the first host is asked about: 40 ms.
Runs on: anywhere (pure; the list is part of the program, like a module that is imported late).
"""

from functools import cache

from publicsuffixlist import PublicSuffixList


def registrable_domain(host: str) -> str:
    """Return the domain of a URL's host: `example.co.uk`, or the host itself where there is none.

    Args:
        host: as `Url` has it; a dot at the end is kept, since `example.com.` is another host than `example.com`.
    """
    if host.rpartition(".")[2].isdigit():  # only IPv4 ends in a number (URL standard, 3.5); IPv6 is a single label
        return host
    domain = _suffixes().privatesuffix(host)
    if domain is None:
        return host
    return f"{domain}." if host.endswith(".") else domain


def is_public(host: str) -> bool:
    """Return whether a dotted name ends in a suffix of the list, or is one: `urls.txt` does not, `gov.uk` is."""
    name = host.removesuffix(".")
    return "." in name and _listed().publicsuffix(name) is not None


def is_public_suffix(host: str) -> bool:
    """Return whether the list has the name itself, so that no site may speak for all hosts below it."""
    return _listed().publicsuffix(host) == host


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@cache
def _listed() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)
