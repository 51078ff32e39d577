"""The seen set: one merge for each find, one final state for each visit, one postponement for each retry.

Rules
- A URL is one row, found by the 128-bit digest of its canonical form (odds of a collision at 10^9 URLs: 1.5e-21).
- Finds merge as `core/merging.py` says. A visited URL is final. But a visited redirect that a better way reaches
  afterwards passes that way on to its target, so that the order of answers makes no difference.
- Every change of a row changes the counters of its host and the sums within the same transaction.
Strategy: the finds that the seen cache does not settle are looked up as one set, decided one by one in memory, in the
order of the group, and written as sets (`frontier/url_rows.py`).
Runs on: the storage thread, inside a transaction.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from crawler.core.finds import Find, Guess, Run, runs_of
from crawler.core.histogram import bucket
from crawler.core.leases_and_commits import Group, RejectedLine, SeedBatch
from crawler.core.merging import UrlRow, first, hop, merged
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.sessions import Document, LinkingDocument, in_session
from crawler.core.urls import Host, Url, parse
from crawler.core.visits import Retry, State, Visit
from crawler.frontier.host_rows import HostRows
from crawler.frontier.letters import Letter, Post, Witness
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.scope_index import ScopeIndex
from crawler.frontier.seen import SeenCache
from crawler.frontier.tables import Tables, UrlKeys
from crawler.frontier.tally import Tally
from crawler.frontier.url_rows import LoadedUrl, UrlRows


class _Links(NamedTuple):
    """A run of a page's finds as the scope judges it, and those of its URLs that the seen cache does not settle.

    `opened` is the state of the scope in which it was judged.
    """

    run: Run
    refusal: Reason | None
    unsettled: Sequence[str]
    opened: int


class Admission:
    """The writer of the rows of URLs in the database `db`."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of `frontier.decisions.Decisions`, in its order
        self,
        db: Tables,
        tally: Tally,
        hosts: HostRows,
        scope_index: ScopeIndex,
        keys: UrlKeys,
        policy: FrontierPolicy,
        post: Post,
    ) -> None:
        self._db = db
        self._tally = tally
        self._hosts = hosts
        self._scope_index = scope_index
        self._post = post
        self._judge = policy.judge
        self._edges = policy.edges
        self._rows = UrlRows(db, keys)
        self._seen = SeenCache(follows=policy.follows, ids=policy.edges)
        self._links: dict[int, list[_Links]] = {}  # of the visits of the group, by id
        self._finished: list[Request] = []
        self._sent: list[tuple[Find, Reason | None]] = []
        self._onward: deque[tuple[Find, int]] = deque()
        self._document: Document | None = None  # whose links are being entered

    def enter(self, group: Group) -> None:
        """Take in a group: the lines of the list, the visits, the retries, and the finds that no page led to."""
        self._post.claim(_hosts_of(group))
        self._rows.load(self._expected(group))
        if self._scope_index.looks_ahead:
            self._scope_index.look_up(self._new_links(group.visits))
        for batch in group.seeds:
            self.import_lines(batch)
        for visit in group.visits:
            self.finish(visit)
        self._sum_up(group.visits)
        for retry in group.retries:
            self.postpone(retry)
        for find in group.finds:
            self.admit(find)
        self._rows.write()

    def _expected(self, group: Group) -> Iterator[str]:
        """Yield the URLs whose rows the group asks for, as far as that can be told before it is entered."""
        for batch in group.seeds:
            yield from (find.url.href for find in batch.finds)
        self._judge_links(group.visits)
        for visit in group.visits:
            yield from chain.from_iterable(links.unsettled for links in self._links[visit.request.id])
            if visit.target is not None or visit.reason is Reason.HTTP_INSTEAD:
                yield visit.request.url.href
        yield from (find.url.href for find in group.finds)

    def _new_links(self, visits: Sequence[Visit]) -> Iterator[tuple[int, Url]]:
        """Yield the links of these visits that will be new rows, with the rows of their hosts."""
        for links in chain.from_iterable(self._links[visit.request.id] for visit in visits):
            host = links.run.find.url.host_port
            if links.refusal is None and links.unsettled and not self._post.is_away(host):
                host_id = self._hosts.id(host)
                yield from ((host_id, links.run.of(href).url) for href in links.unsettled if self._rows.lacks(href))

    def _judge_links(self, visits: Sequence[Visit]) -> None:
        """Judge the links of these visits by the seen cache, once it has taken in the shapes of those that it lacks."""
        self._links = {
            visit.request.id: [links for run in runs_of(visit.finds) for links in self._judged(run)] for visit in visits
        }
        unsettled = chain.from_iterable(links.unsettled for judged in self._links.values() for links in judged)
        self._seen.keep(self._rows.shapes(set(self._seen.missing(unsettled))))
        for visit_id, judged in self._links.items():
            self._links[visit_id] = [
                links._replace(unsettled=self._seen.unsettled(links.run, links.refusal, links.unsettled))
                for links in judged
            ]

    def keep(self) -> None:
        """Take over what the committed transaction wrote."""
        rows = [(url.id, url.href, None if url.is_final else url.row) for url in self._rows.loaded()]
        rows += [
            (request.id, request.url.href, None)  # over, and it leads nowhere, else its row would be in memory
            for request in self._finished
            if not self._rows.is_loaded(request.url)
        ]
        self._seen.keep(rows)
        if not self._edges:  # each edge needs a letter of its own
            for find, refusal in self._sent:
                self._seen.merge(find, refusal)
        self._rows.keep()
        self._finished.clear()
        self._sent.clear()

    def forget(self) -> None:
        """Drop the writes of the transaction that was rolled back."""
        self._rows.forget()
        self._links.clear()
        self._finished.clear()
        self._sent.clear()
        self._onward.clear()
        self._document = None

    # --- lines of the list ---------------------------------------------------------------------------------------

    def import_lines(self, batch: SeedBatch) -> None:
        """Account for some lines of the list, each exactly once, and move the cursor behind them."""
        for rejected in batch.rejected:
            self._reject(rejected)
        for find in batch.finds:
            is_new = self.admit(find)
            if not self._post.is_away(find.url.host_port):
                self._account(find, is_new=is_new)
        self._tally.add("line", "read", batch.lines)
        self._tally.add("line", "blank", batch.blank)
        self._tally.add("line", "comment", batch.comments)
        self._tally.add("reading", "guessed", batch.guessed)
        self._tally.add("reading", "unwrapped", batch.unwrapped)
        cursor = [("seeds_offset", batch.cursor), ("seeds_line", batch.line), ("seeds_finished", int(batch.last))]
        self._db.put("meta", ("key",), ("value",), cursor)

    def _account(self, find: Find, *, is_new: bool) -> None:
        """Account for a line of the list that was found."""
        if is_new:
            self._tally.add("line", "url")
            return
        known = self._rows.find(find.url)
        line = known and known.row.line
        is_own = line in (None, find.line)  # a row that something else found takes the first line that names it
        message = "already found through a redirect or link" if is_own else f"same URL as line {line}"
        text = find.url.href
        self._reject(RejectedLine(line=find.line or 0, reason=Reason.DUPLICATE, message=message, text=text))

    def _reject(self, rejected: RejectedLine) -> None:
        row = (rejected.line, str(rejected.reason), rejected.message, rejected.text)
        self._db.insert("rejected", ("line", "reason", "message", "text"), [row])
        self._tally.add("line", rejected.reason)

    # --- finds ---------------------------------------------------------------------------------------------------

    def admit(self, find: Find) -> bool:
        """Take in a URL that no page links to; return True when it is new."""
        is_new = self._enter(find, self._refusal(find), referrer=None)
        if self._onward:
            self._pass_on()
        return is_new

    def _refusal(self, find: Find) -> Reason | None:
        """Return the reason not to fetch a find, be it the scope; None = it is allowed."""
        if find.way.seed:
            return None
        if find.refusal or find.way.sitemap or self._scope_index.covers(find.url):
            return find.refusal
        return Reason.OUT_OF_SCOPE

    def _judged(self, run: Run) -> Iterable[_Links]:
        """Return the parts of a run that the scope refuses, and those that it does not."""
        find = run.find
        if find.way.seed or find.way.sitemap or find.refusal:
            return (self._links_of(run, self._refusal(find)),)
        return [
            self._links_of(part, None if is_in else Reason.OUT_OF_SCOPE) for is_in, part in self._scope_index.parts(run)
        ]

    def _links_of(self, run: Run, refusal: Reason | None) -> _Links:
        return _Links(run, refusal, self._seen.unsettled(run, refusal, run.hrefs), self._scope_index.opened)

    def _follow(self, links: _Links, source: int | None) -> None:
        """Enter those of a page's links that may bring something new."""
        if self._edges and source is not None:
            unsettled = set(links.unsettled)
            self._rows.connect(source, self._seen.ids(href for href in links.run.hrefs if href not in unsettled))
        for href in links.unsettled:
            self._enter(links.run.of(href), links.refusal, referrer=source)

    def _enter(self, find: Find, refusal: Reason | None, referrer: int | None) -> bool:
        """Insert the find, refused or not, or merge it into its row; return True when it is new.

        If its host is away, it leaves as a letter.
        """
        if self._post.is_away(find.url.host_port):
            self._send(find, refusal, referrer)
            return False
        if find.way.seed and (opened := self._scope_index.open_for(find.url)) is not None:
            self._let_in(opened)
        url = self._rows.find(find.url)
        if is_new := url is None:
            row = first(find, refusal)
            url = self._rows.insert(find.url.href, self._hosts.id(find.url.host_port), row, referrer)
            self._stand(url, find.url, None, row)
        else:
            self._merge(url, find, refusal, referrer)
        if find.named:
            self._hosts.name_by_user(url.host_id)
        if self._edges and referrer is not None:
            self._rows.connect(referrer, (url.id,))
        return is_new

    def _let_in(self, place: str) -> None:
        """Let the URLs be pending that were left out of scope and lie in the place that a seed has opened."""
        site = place.partition("/")[0]
        self._post.tell_site(site)
        self._look_again(self._rows.left_out(site))

    def _look_again(self, left_out: Iterable[LoadedUrl]) -> None:
        """Let those of these URLs be pending that are in scope by now."""
        for url in left_out:
            parsed = parse(url.href)
            if self._scope_index.covers(parsed) and not self._post.is_away(parsed.host_port):
                self._stand(url, parsed, url.row, url.row._replace(refusal=None))
                self._rows.change(url)

    def _merge(self, url: LoadedUrl, find: Find, refusal: Reason | None, referrer: int | None) -> None:
        """Merge the find into its row."""
        row, is_over = url.row, url.is_over
        better = None if is_over and (url.leads_to is None or refusal) else merged(row, find, refusal)
        if better is None:
            return
        if referrer != url.id and (better.way.is_better_than(row.way) or better.refusal is not row.refusal):
            url.referrer = referrer
        if not is_over:
            self._stand(url, find.url, row, better)
        else:
            url.row = better
            self._lead_on(url, find.url)
        self._rows.change(url)

    def _stand(self, url: LoadedUrl, parsed: Url, before: UrlRow | None, row: UrlRow) -> None:
        """Set the state of a row that is new (`before` None) or has changed; `parsed` is its URL.

        Every row becomes pending here, so each one is counted by the families that may be traps.
        """
        self._hosts.gain(url.host_id)
        if before is None or before.refusal is not row.refusal:
            if row.refusal is None and not row.way.seed:
                row = row._replace(refusal=self._scope_index.trap(parsed, url.host_id, self._document))
            if before is not None:
                self._count(url, before.refusal, -1)
            self._count(url, row.refusal, 1)
            self._rows.judge(url, row.refusal)
        url.row = row

    def _count(self, url: LoadedUrl, refusal: Reason | None, n: int) -> None:
        if refusal:
            self._tally.skip(refusal, n)
        else:
            self._hosts.count_ready(url.host_id, n)
            self._tally.add("state", State.PENDING.name, n)

    # --- letters ---------------------------------------------------------------------------------------------------

    def _send(self, find: Find, refusal: Reason | None, referrer: int | None) -> None:
        """Let a find leave for the worker of its host."""
        host, witness = find.url.host_port, self._document
        ids = in_session(find.url.target) if witness else None
        self._post.send(host, Letter(find, referrer, bool(witness and ids and witness.is_in(ids, host))))
        self._sent.append((find, refusal))

    def receive(self, letters: Sequence[tuple[int, Letter]]) -> None:
        """Take in what others have found of hosts, each named by its row, that this transaction may change."""
        self._rows.load(letter.find.url.href for _, letter in letters if letter.find)
        for host_id, letter in letters:
            if letter.find is None:
                self._look_again(self._rows.left_out_of(host_id))
                continue
            find, self._document = letter.find, Witness(letter.in_session)
            is_new = self._enter(find, self._refusal(find), letter.referrer)
            self._document = None
            if find.line is not None:
                self._account(find, is_new=is_new)
        self._pass_on()
        self._rows.write()

    # --- redirects -----------------------------------------------------------------------------------------------

    def _lead(self, request: Request, target: Url) -> None:
        """Store the target of a visited URL; pass a better way on to it that was found during the visit."""
        source = self._rows.of(request.id)
        self._rows.lead(source, target)
        if replace(source.row.way, lastmod=request.way.lastmod) != request.way:
            self._lead_on(source, request.url)

    def _lead_on(self, source: LoadedUrl, parsed: Url) -> None:
        """Queue the target of a visited redirect, which a better way has reached; `parsed` is the URL of `source`."""
        if source.leads_to is None:
            return
        find = hop(parsed, source.row.way, parse(source.leads_to))
        if self._judge and not find.way.seed:
            refusal = self._judge.refusal(find.url, find.way.depth, is_sitemap=find.way.sitemap)
            find = replace(find, refusal=refusal or find.refusal)
        self._onward.append((find, source.id))

    def _pass_on(self) -> None:
        """Enter the queued targets; a loop ends, since only a find that makes a row better goes on."""
        while self._onward:  # no recursion: a chain of redirects may be longer than the stack is high
            find, source = self._onward.popleft()
            self._enter(find, self._refusal(find), source)

    # --- the end of a visit --------------------------------------------------------------------------------------

    def finish(self, visit: Visit) -> None:
        """Give the URL its final state, and enter its finds."""
        request, reason, record = visit.request, visit.reason, visit.record
        onto = visit.target
        self._document = LinkingDocument(request.url, visit.finds)
        source = request.id if visit.state is State.DONE else None  # a failed URL leads nowhere, its line does
        for links in self._links.pop(request.id):  # before the visit ends, as a page may find a better way to itself
            is_fresh = links.opened == self._scope_index.opened
            for part in (links,) if is_fresh else self._judged(links.run):
                self._follow(part, source)
            find = links.run.find
            if onto is None and find.way.chain > 0 and (find.way.seed or find.refusal is not Reason.NOFOLLOW):
                onto = find.url  # a refresh
        self._document = None
        host_id = self._hosts.id(request.url.host_port)
        if not request.alone:  # a suspect is no ready row; whatever else is leased was one
            self._hosts.count_ready(host_id, -1)
        if record is not None:
            self._hosts.count_page(host_id, visit.at, trouble=reason if visit.state is State.FAILED else None)
        attempts, status = (record.attempts, record.status) if record else (request.attempts, None)
        self._rows.finish(request, visit.state, reason, status, attempts)
        self._finished.append(request)
        if self._edges:
            self._rows.note_bad_links(request.id, visit.bad_links)
        if reason is Reason.HTTP_INSTEAD:
            # A skipped guess waits for a find that names its scheme; if one did during the visit, it is tried at once.
            url = self._rows.of(request.id)
            row = url.row._replace(refusal=None)
            skipped = row._replace(refusal=Reason.HTTP_INSTEAD)
            self._stand(url, request.url, skipped, row if row.guess == Guess.BOTH else skipped)
            self._rows.change(url)
        elif onto is not None:
            self._lead(request, onto)
        self._pass_on()

    def _sum_up(self, visits: Sequence[Visit]) -> None:
        """Count the ends of visits."""
        add = self._tally.add
        for (state, reason), n in Counter((visit.state, visit.reason) for visit in visits).items():
            add("state", State.PENDING.name, -n)
            if state is State.SKIPPED:
                self._tally.skip(reason, n)
            else:
                add("state", state.name, n)
            if state is State.FAILED:
                add("failed", reason, n)
            elif reason.is_unread:
                add("unread", reason, n)
        records = [visit.record for visit in visits if visit.record is not None]
        add("sum", "bytes", sum(record.bytes or 0 for record in records))
        for status, n in Counter(record.status for record in records if record.status is not None).items():
            add("status", str(status), n)
        buckets = Counter(bucket(int(visit.latency * 1e9)) for visit in visits if visit.latency is not None)
        for latency, n in buckets.items():
            add("latency", str(latency), n)

    def postpone(self, retry: Retry) -> None:
        """Let the URL wait for another try; the process has survived it, so its deaths are cleared."""
        host_id = self._hosts.id(retry.request.url.host_port)
        if not retry.request.alone:
            self._hosts.count_ready(host_id, -1)
        self._rows.postpone(retry)
        self._hosts.count_trouble(host_id, retry.reason)
        self._tally.add("sum", "retries")


def _hosts_of(group: Group) -> Iterable[Host]:
    """Return the hosts of a group: those of its visits, and all of which it has found something, as it found them."""
    finds = chain((find for batch in group.seeds for find in batch.finds), group.finds)
    linked = chain.from_iterable(runs_of(visit.finds) for visit in group.visits)
    return chain(
        (visit.request.url.host_port for visit in group.visits),
        (retry.request.url.host_port for retry in group.retries),
        (find.url.host_port for find in finds),
        (run.find.url.host_port for run in linked),
    )
