import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from stnkit.experiments.report.notes import notes
from stnkit.experiments.report.table import make_table
from stnkit.experiments.report.terminal import print_table
from stnkit.experiments.report.text_table import make_text_table
from stnkit.experiments.report.wrapping import narrowest, wrapped

KEY = "training.equivariance.weight"


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("fully_connected", 20, ["fully_connected"]),
        ("fully_connected", 10, ["fully_", "connected"]),
        (KEY, 22, ["training.equivariance.", "weight"]),
        ("learning_rate=0.003 is small", 19, ["learning_rate=0.003", "is small"]),
        ("learning_rate=0.003", 15, ["learning_rate=", "0.003"]),
        ("a long sentence of words", 10, ["a long", "sentence", "of words"]),
        ("/home/user/sweep/12", 11, ["/home/user/", "sweep/12"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("數學數學", 4, ["數學", "數學"]),
        ("1.50 ± 0.71 (2)", 15, ["1.50 ± 0.71 (2)"]),
        ("", 5, [""]),
    ],
)
def test_a_word_is_broken_between_its_parts(text, width, lines):
    assert wrapped(text, width) == lines


def test_the_narrowest_width_breaks_no_part():
    assert narrowest("training.equivariance.weight of θ") == len("equivariance.")
    assert narrowest("0.003") == 5
    assert narrowest("") == 0


def pieces(key):
    return [piece for piece in key.replace(".", "._").split("_") if piece]


@pytest.mark.parametrize("width", [80, 60, 40, 20])
def test_no_key_is_broken_inside_of_a_word(width, make_run, runs_of):
    for rate in (0.1, 0.3):
        for name in ("fully_connected", "convolutional"):
            options = {"learning_rate": rate, "equivariance": {"weight": rate}}
            make_run(localizer={"name": name}, training=options, record={"test_error": 1.5, "log_scale_residual": 1.0})
    rows = ["localizer", "training.learning_rate", KEY]
    table = make_table(runs_of(), rows=rows, columns=[], metrics=["test_error", "log_scale_residual"])
    file = io.StringIO()
    print_table(make_text_table(table), notes(table), Console(file=file, width=width))
    text = file.getvalue()
    assert max(map(cell_len, text.splitlines())) <= width
    for word in (
        "fully_",
        "connected",
        "convolutional",
        "learning_",
        "equivariance.",
        "weight",
        "residual",
        "1.50 (1)",
    ):
        assert word in text, text


def test_long_values_leave_the_figures_whole(make_run, runs_of):
    for i in range(2):
        make_run(dataset={"name": "folder", "root": "/data/" + "a_long_folder_name/" * 6 + str(i)})
    table = make_table(runs_of(), columns=[])
    file = io.StringIO()
    print_table(make_text_table(table), notes(table), Console(file=file, width=60))
    assert max(map(cell_len, file.getvalue().splitlines())) <= 60
    assert "n/a" in file.getvalue()


def test_a_pipe_gets_whole_lines(make_run, stnkit_main, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    for i in range(12):
        make_run(transform={"name": "affine"}, distortion={"name": f"a_distortion_with_a_long_name_{i}"})
        make_run(transform={"name": "tps"}, distortion={"name": f"a_distortion_with_a_long_name_{i}"})
    code, out, _ = stnkit_main("report", make_run.root)
    assert code == 0
    (heading,) = [line for line in out.splitlines() if line.startswith(" transform")]
    assert all(f"a_distortion_with_a_long_name_{i}" in heading for i in range(12))
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = stnkit_main("report", make_run.root)
    assert max(map(cell_len, out.splitlines())) <= 80
    assert out.count("\n transform") > 1
