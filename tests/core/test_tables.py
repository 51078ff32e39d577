"""core.tables: lines that stand below each other, and text that fits into a terminal."""

from crawler.core.tables import WIDTH, columns, paragraph


def test_figures_stand_at_the_right_of_their_columns_and_words_at_the_left() -> None:
    """Each cell has the width of its column, and no line ends with blanks."""
    lines = [columns(cells, (6, 5, 4), left=(0, 2), gap=" ") for cells in (("a", "1", "x"), ("bb", "22", ""))]

    assert lines == ["a          1 x", "bb        22"]


def test_a_cell_that_is_too_wide_is_shown_whole() -> None:
    """It moves the others instead of losing a digit."""
    assert columns(("longer", "1"), (3, 4)) == "longer   1"


def test_a_paragraph_goes_on_below_its_first_word() -> None:
    """No line is wider than the terminal."""
    lines = paragraph("word " * 40, "Title  ")

    assert lines[0].startswith("Title  word word")
    assert lines[1].startswith("       word word")
    assert max(map(len, lines)) <= WIDTH


def test_a_word_that_is_to_be_copied_stays_in_one_piece() -> None:
    """A long URL is broken, unless somebody may want to copy it."""
    url = "http://h/some-name/" + "x" * 100

    assert paragraph(url, copyable=True) == [url]
    assert len(paragraph(url)) == 2


def test_a_head_without_a_text_is_a_line() -> None:
    """Nothing stands behind it."""
    assert paragraph("", "Title  ") == ["Title"]
