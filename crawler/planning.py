"""The plan of a script's crawl: keywords become the config, the client and the task.

Rules
- Whatever can be refused is refused here, before a folder is made.
- A secret is not stored, and a function or a session cannot be: `crawler resume` asks for the secrets again, refuses a
  function that it cannot import, and uses connections of its own.
Runs on: the caller's event loop.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from crawler.build import HttpClient, check_files, http_for
from crawler.core.config import OPTIONS, RunConfig, configure
from crawler.core.errors import UsageError
from crawler.core.keywords import Pairs, by_keyword, pairs_of, values_of
from crawler.core.protocols import Fetcher
from crawler.downloader.client_options import refuse_beside_session
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.told_cookies import ToldCookies
from crawler.downloader.transport import over_session
from crawler.parse.extract import Extractor, name_of
from crawler.parse.page_reader import Task
from crawler.runtime.clock import SystemClock

_OWN = frozenset({"cookies", "extract"})  # keywords that take more than their options do
_OPTIONS = {keyword: option for keyword, option in by_keyword(OPTIONS.values()).items() if keyword not in _OWN}
KEYWORDS = {"output": "output"} | {option.name: name for name, option in by_keyword(OPTIONS.values()).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlPlan:
    """A crawl as it was asked for.

    Attributes:
        needs: the secret options that were given: none is stored, so a resume must be given them again.
        http: the client over the user's session, or with the user's jar.
        jar: the user's jar.
        told: cookies of the user without a domain.
        reading: returns the task that is done for each document, given the usual one.
    """

    config: RunConfig
    needs: tuple[str, ...]
    http: HttpClient
    jar: CookieJar | None
    told: Mapping[str, str]
    reading: Callable[[Task], Task]

    def around(self, client: HttpClient) -> Fetcher:
        """Return the fetcher over the opened client."""
        return ToldCookies(client, self.told) if self.told else client


def planned(
    options: Mapping[str, object],
    *,
    session: object,
    cookies: bool | Pairs | CookieJar | None,
    extract: str | Extractor | None,
) -> CrawlPlan:
    """Return the plan for these options.

    Raises:
        UsageError: an option is unknown, invalid, or of no use beside another one.
    """
    values = {"workers": 0, **values_of(options, _OPTIONS, "crawl"), "cookies": cookies not in (None, False)}
    if session is not None:
        refuse_beside_session({**options, "cookies": cookies})
    jar, told = cookies if isinstance(cookies, CookieJar) else None, dict[str, str]()
    if jar is None and not isinstance(cookies, bool | None):
        told = dict(pairs_of("cookies", cookies))
    config, reading = configure(values), partial(replace, keep=True)
    if callable(extract):
        function, for_workers = extract, config.parse.workers != 0
        extract = name_of(function, for_workers=for_workers)
        reading = reading if for_workers else partial(replace, keep=True, extract=function)
    if extract is not None:
        config = configure({"extract": extract}, base=config)
    if config.shared.frontier is not None and session is not None:
        raise UsageError("--frontier and session: give one of them: only the crawler's own client ends with a lease")
    check_files(config, reading)
    http = (
        http_for(config, SystemClock(), jar) if session is None else over_session(session, config.fetch, SystemClock())
    )
    needs = [name for name, value in values.items() if OPTIONS[name].help.secret and value] + ["header"] * bool(told)
    plan = CrawlPlan(config=config, needs=tuple(dict.fromkeys(needs)), http=http, jar=jar, told=told, reading=reading)
    plan.around(http)
    return plan
