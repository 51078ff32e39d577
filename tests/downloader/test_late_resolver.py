"""downloader.late_resolver: the resolver that is made for the first name."""

import time

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.late_resolver import LateResolver
from support.nameserver import Reply, name_server


async def test_names_are_looked_up_by_one_resolver() -> None:
    """The second lookup finds what the first has stored."""
    async with name_server({"some.example": Reply("127.0.0.9")}) as server:
        names = LateResolver(5.0, (server.address,), time.monotonic)
        found = [await names.resolve("some.example") for _ in range(2)]
        await names.close()

    assert [[text for _, text in addresses] for addresses in found] == [["127.0.0.9"]] * 2
    assert server.count("some.example") == 1


@pytest.mark.parametrize("name", ["some.example", "localhost"])
async def test_after_the_end_none_is_made(name: str) -> None:
    """Its sockets would be closed by nobody."""
    names = LateResolver(5.0, (), time.monotonic)
    await names.close()

    with pytest.raises(FetchError) as caught:
        await names.resolve(name)

    assert (caught.value.reason, caught.value.counted) == (Reason.DNS_TEMPORARY, False)
