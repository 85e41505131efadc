import json
import re

import pytest

from stnkit.errors import InputError
from stnkit.experiments.rectification.journal import NAME, Journal


@pytest.mark.parametrize("line", ["5", "[]", "null", '"text"', "{"])
def test_a_line_that_is_no_entry_is_passed_over(line, tmp_path):
    journal, command = tmp_path / NAME, {"scale": 2}
    for text in (line, f"{line}\n", f"{json.dumps(command)}\n{line}\n{line}"):
        journal.write_text(text)
        for _ in range(2):  # the second reads what the first has written
            opened = Journal(tmp_path, command)
            opened.close()
            assert opened.rows == {}
    with pytest.raises(InputError, match=r"has results with scale=2, got scale=3: choose another folder"):
        Journal(tmp_path, {"scale": 3})


ROW, ENTRY = {"file": "a.png"}, {"name": "a.png", "source": "/a.png", "state": [1, 2], "rows": []}


@pytest.mark.parametrize(
    "entry",
    [{}, ENTRY | {"rows": 5}, ENTRY | {"rows": [{**ROW, "new": 1}]}, ENTRY | {"rows": [3]}, ENTRY | {"state": None}],
    ids=["empty", "rows", "column", "row", "state"],
)
def test_an_entry_of_another_version_is_refused(entry, tmp_path):
    command = {"scale": 2}
    text = "\n".join(map(json.dumps, [command, ENTRY | {"rows": [ROW]}, entry]))
    (tmp_path / NAME).write_text(text)
    message = (
        rf"^output: {re.escape(str(tmp_path / NAME))} is damaged, or of another version of stnkit: choose another f"
    )
    with pytest.raises(InputError, match=message):
        Journal(tmp_path, command)
    assert (tmp_path / NAME).read_text() == text
    Journal(tmp_path, command, overwrite=True).close()
