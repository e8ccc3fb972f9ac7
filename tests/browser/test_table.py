"""The README beside this file names tests that exist, for every row there is."""

import re
from pathlib import Path

HERE = Path(__file__).parent
ROWS = 44


def missing(text):
    """The tests that `text` names and nobody wrote."""
    named = re.findall(r"`([\w./]+)::(\w+)`", text)
    return [f"{file}::{test}" for file, test in named if not exists(HERE / file, test)]


def exists(file, test):
    """Whether a file has a test of this name."""
    return file.is_file() and bool(re.search(rf"^(async )?(def|fn) {test}\(", file.read_text(), re.MULTILINE))


def rows(text):
    """The numbers of the failure table's rows."""
    cells = re.findall(r"^\| (\d[\d, ]*) \|", text, re.MULTILINE)
    return [int(number) for cell in cells for number in cell.split(",")]


def test_every_row_has_its_place_and_every_test_that_is_named_exists():
    text = (HERE / "README.md").read_text()
    assert rows(text) == list(range(1, ROWS + 1))
    assert missing(text) == []


def test_a_name_that_nobody_has_is_found():
    """The control."""
    text = "| 1 | x | `test_table.py::test_no_such` | \n| 2, 3 | `no_file.py::test_x` |"
    assert missing(text) == ["test_table.py::test_no_such", "no_file.py::test_x"] and rows(text) == [1, 2, 3]
    assert missing("`test_table.py::test_a_name_that_nobody_has_is_found`") == []
