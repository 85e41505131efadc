import itertools
import re

import pytest

import stnkit
from stnkit.experiments.report.curve_panels import DASHES
from stnkit.experiments.report.curves import learning_curves, write_curves
from stnkit.experiments.report.table import make_table


def ids(svg):
    return re.findall(r'id="((?:\w+-)?curve-[\d-]+)"', svg)


def style_of(svg, name):
    return re.search(rf'<g id="{name}">\s*<path d="[^"]*"[^>]*style="([^"]*)"', svg)[1]


def history(errors):
    return {"history": [{"epoch": i, "validation_error": error} for i, error in enumerate(errors)]}


def test_learning_curves_have_a_line_for_each_run(make_run, runs_of):
    make_run(seed=0, record=history([50.0, 10.0, 0.0]))
    make_run(seed=1, status="interrupted", record=history([60.0]))
    make_run(seed=0, transform={"name": "tps"}, record=history([40.0, None, 5.0]))
    make_run(seed=1, transform={"name": "tps"}, status="failed")
    curves = learning_curves(make_table(runs_of()))
    assert re.findall(r'id="(curve-\d+-\d+-\d+)"', curves.svg) == ["curve-0-0-0", "curve-0-0-1", "curve-0-1-0"]
    assert [(row, title) for row, title, *_ in curves.legend] == [(0, "affine"), (1, "tps")]
    ids = re.findall(r'\bid="([^"]+)"', curves.svg)
    assert len(ids) == len(set(ids))
    assert "#0102" not in curves.svg


def test_without_epochs_there_are_no_curves(make_run, runs_of):
    make_run()
    make_run(seed=1, record={"history": "nonsense"})
    assert learning_curves(make_table(runs_of())) is None


def test_titles_of_curves_are_text_whatever_they_hold(make_run, runs_of):
    for transform in ("affine", "tps"):
        for name in ("$x_$", "<script>", "数"):
            make_run(transform={"name": transform}, distortion={"name": name}, record=history([1.0]))
    svg = learning_curves(make_table(runs_of())).svg
    assert "$x_$</text>" in svg
    assert "&lt;script&gt;</text>" in svg
    assert "数</text>" in svg
    assert "<script" not in svg


def epoch(number, **values):
    return {"epoch": number, "validation_error": 10.0, **{f"validation_{name}": v for name, v in values.items()}}


def test_theta_and_the_share_outside_are_drawn_where_recorded(make_run, runs_of):
    theta = [epoch(i, theta_distance=0.1 * i, outside=0.25) for i in range(3)]
    make_run(record={"history": theta})
    make_run(placement={"at": []}, record={"history": [epoch(i) for i in range(3)]})
    curves = learning_curves(make_table(runs_of()))
    assert ids(curves.svg) == ["curve-0-0-0", "curve-0-1-0", "theta-curve-0-0-0", "outside-curve-0-0-0"]
    assert curves.title == "validation error, %, ‖θ − identity‖, grid points outside, %"
    for text in ("validation error, %", "‖θ − identity‖", "grid points outside, %"):
        assert f"{text}</text>" in curves.svg
    # A quarter of the points, on an axis in percent.
    assert ">25</text>" in curves.svg


def test_seeds_are_told_apart_by_their_dashes(make_run, runs_of):
    for transform in ("affine", "tps"):
        for seed in (3, 5):
            make_run(seed=seed, transform={"name": transform}, record=history([50.0, 10.0]))
    curves = learning_curves(make_table(runs_of()))
    assert curves.seeds == [("3", 0, "none"), ("5", 1, "8 3")]
    styles = {name: style_of(curves.svg, name) for name in ids(curves.svg)}
    assert set(styles) == {"curve-0-0-0", "curve-0-0-1", "curve-0-1-0", "curve-0-1-1"}
    for row in (0, 1):
        assert "stroke-dasharray" not in styles[f"curve-0-{row}-0"]
        assert "stroke-dasharray: 8,3" in styles[f"curve-0-{row}-1"]
        assert all(f"var(--curve-{row})" in styles[f"curve-0-{row}-{seed}"] for seed in (0, 1))
    assert len(set(DASHES)) == len(DASHES)


def test_more_rows_than_colors_are_told_apart_by_markers(make_run, runs_of):
    for i in range(10):
        make_run(transform={"name": f"t{i}"}, record=history([50.0, 10.0]))
    legend = learning_curves(make_table(runs_of())).legend
    assert len({(color, marker) for _, _, color, marker in legend}) == 10
    assert [marker for *_, marker in legend] == [""] * 8 + ["●"] * 2


def test_a_seed_that_ran_twice_has_two_lines(make_run, runs_of):
    for _ in range(2):
        make_run(record=history([50.0, 10.0]))
    assert ids(learning_curves(make_table(runs_of())).svg) == ["curve-0-0-0", "curve-0-0-0-1"]


@pytest.mark.parametrize(("n", "ticks"), [(1, ["1"]), (2, ["1", "2"]), (3, ["1", "2", "3"])])
def test_epochs_are_whole_numbers(n, ticks, make_run, runs_of):
    make_run(record=history([50.0] * n))
    svg = learning_curves(make_table(runs_of())).svg
    labels = re.findall(r'<g id="xtick_\d+">.*?<text[^>]*>([^<]*)</text>', svg, re.DOTALL)
    assert labels == ticks


def ticks_of(svg):
    return re.findall(r'<g id="ytick_\d+">.*?<text[^>]*>([^<]*)</text>', svg, re.DOTALL)


def test_the_curve_is_that_of_the_primary_figure(make_run, runs_of):
    make_run.of_objective("registration", {"point_error": 1.5, "folded": 0.0})
    curves = learning_curves(make_table(runs_of()))
    assert curves.title == "validation point error, px"
    # In proportion, from 0; that of a percentage is logarithmic.
    ticks = list(map(float, ticks_of(curves.svg)))
    assert ticks[0] == 0
    assert max(ticks) < 2
    assert {round(b - a, 6) for a, b in itertools.pairwise(ticks)} == {round(ticks[1], 6)}


def test_a_percentage_of_errors_alone_has_a_logarithmic_axis(make_run, runs_of):
    make_run(record=history([50.0, 10.0]))
    assert ticks_of(learning_curves(make_table(runs_of())).svg) == ["0", "0.5", "1", "2", "5", "10", "20", "50", "100"]
    make_run.of_objective("colocalization", {"found": 80.0, "iou": 0.5})
    curves = learning_curves(make_table([run for run in runs_of() if run.primary.name == "found"]))
    assert curves.title == "validation found, %"
    assert "0.5" not in ticks_of(curves.svg)


def test_a_figure_below_0_is_drawn_as_well(make_run, runs_of):
    make_run.of_objective("registration", {"point_error": -0.5, "folded": 0.0})
    assert any(tick.startswith("−") for tick in ticks_of(learning_curves(make_table(runs_of())).svg))


def test_each_objective_has_its_own_curves(make_run, runs_of):
    make_run(record=history([50.0, 10.0]))
    make_run.of_objective("registration", {"point_error": 1.5, "folded": 0.0})
    curves = learning_curves(make_table(runs_of()))
    assert curves.title == "validation error, %, validation point error, px"
    assert ids(curves.svg) == ["curve-0-0-0", "objective1-curve-0-1-0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG"), ("SVG", b"<?xml")]
)
def test_curves_are_written_in_the_format_of_the_suffix(suffix, magic, make_run, runs_of, tmp_path):
    make_run(record=history([50.0, 10.0]))
    table, path = make_table(runs_of()), tmp_path / f"curves.{suffix}"
    write_curves(table, path)
    first = path.read_bytes()
    assert first.startswith(magic)
    write_curves(table, path)
    assert path.read_bytes() == first


def test_a_file_of_curves_has_a_legend_of_rows_and_seeds(make_run, runs_of, tmp_path):
    for transform in ("affine", "tps"):
        for seed in (3, 5):
            make_run(seed=seed, transform={"name": transform}, record=history([50.0, 10.0]))
    write_curves(make_table(runs_of()), tmp_path / "curves.svg")
    svg = (tmp_path / "curves.svg").read_text()
    for text in ("affine", "tps", "seed 3", "seed 5", "epoch", "validation error, %"):
        assert f"{text}</text>" in svg
    # In a viewer of its own there is no style sheet.
    assert "var(" not in svg
    assert "currentColor" not in svg


def test_curves_without_an_epoch_or_a_format_are_refused(make_run, runs_of, tmp_path):
    make_run(record={"test_error": 1.0})
    table = make_table(runs_of())
    with pytest.raises(stnkit.errors.InputError, match=r"curves.svg: expected runs with epochs, got none"):
        write_curves(table, tmp_path / "curves.svg")
    with pytest.raises(stnkit.errors.InputError, match=r"curves: expected a file that ends in .svg, .pdf or .png"):
        write_curves(table, tmp_path / "curves")
    assert list(tmp_path.glob("curves*")) == []
