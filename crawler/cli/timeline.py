"""`crawler timeline`: a trace drawn as a page or as a picture."""

from pathlib import Path

import click

from crawler.core.errors import UsageError

EXAMPLES = """\b
Examples:
  crawler crawl https://example.com/ --trace trace.json
  crawler timeline trace.json  # trace.html, for any browser
  crawler timeline trace.json --svg crawl.svg  # a picture instead
  crawler timeline trace.json --from 2 --to 3.5 -o second.html
"""
_SECONDS = click.FloatRange(0, 1e8)


@click.command(epilog=EXAMPLES)
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.html", help="Write the page here.  [default: FILE with .html at its end]")
@click.option("--svg", metavar="OUT.svg", help="Draw a picture; make the page only if -o names it.")
@click.option(
    "--from", "begin", metavar="SECONDS", type=_SECONDS, default=0.0, help="Show it from this second on.  [default: 0]"
)
@click.option("--to", "end", metavar="SECONDS", type=_SECONDS, help="Show it up to this second.  [default: the end]")
def command(file: str, *, output: str | None, svg: str | None, begin: float, end: float | None) -> None:
    """Draw the trace in FILE, which a command wrote with --trace, as a self-contained page."""
    from crawler.timeline.page import timeline_page
    from crawler.timeline.picture import timeline_svg
    from crawler.timeline.reader import LARGEST, read_timeline

    trace = Path(file)
    try:
        if trace.exists() and not trace.is_file():
            raise UsageError(f"{trace}: is no file; give the FILE that --trace wrote")
        with trace.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{trace}: {error.strerror}; give the FILE that --trace wrote") from None
    if len(content) > LARGEST:
        raise UsageError(f"{trace}: is larger than {LARGEST // 1024 // 1024} MiB, so --trace did not write it")
    timeline = read_timeline(content, file)
    if end is not None and end <= begin:
        raise UsageError(f"--to {end:g} is not after --from {begin:g}")
    if begin * 1e6 >= timeline.length:
        raise UsageError(f"--from {begin:g}: the run lasted {timeline.length / 1e6:.3f} seconds")
    page = Path(output) if output else None if svg else trace.with_suffix(".html")
    if svg and page and Path(svg).resolve() == page.resolve():
        raise UsageError(f"{svg}: -o and --svg name the same file; give two")
    if svg:
        _write(Path(svg), timeline_svg(timeline, begin, end), ".svg", trace=trace)
    if page:
        _write(page, timeline_page(timeline, begin, end), ".html", trace=Path(file))


def _write(path: Path, text: str, suffix: str, *, trace: Path) -> None:
    from crawler.run.disk import write_whole

    if path.resolve() == trace.resolve():
        raise UsageError(f"{path}: is the trace itself; give another file")
    try:
        if path.is_dir() or not path.parent.is_dir():
            raise UsageError(f"{path}: expected a file in a folder that is there")
        if path.is_symlink() or (path.exists() and not (path.is_file() and path.suffix == suffix)):
            raise UsageError(f"{path}: exists, and only a file that ends with {suffix} is replaced; give another file")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    write_whole(path, [text.encode("utf-8", "replace")])
    click.echo(path)
