"""Records of the earlier version lack the options that were added since; `make_run` writes such records."""

import pytest

from stnkit.experiments.report.table import make_table

NEW = {"training": {"keep": "last", "patience": None}, "init_from": None, "transform_init": None}
RTS = {"name": "rts", "degrees": 45.0, "scale": [0.7, 1.2], "canvas": [42, 42]}


def of_this_version(**record):
    return {"versions": {"stnkit": "0.2.0"}, "test_error": 1.0, **record}


@pytest.mark.parametrize("format_", ["terminal", "markdown", "csv", "json"])
def test_a_sweep_continued_by_this_version_has_the_same_cells(format_, stnkit_main, make_run, runs_of):
    for transform in ("affine", "tps"):
        make_run(seed=0, transform={"name": transform}, record={"test_error": 1.0})
        make_run(seed=1, transform={"name": transform}, record=of_this_version(), **NEW)
    table = make_table(runs_of())
    assert (table.axes.rows, table.axes.columns) == (("transform",), ())
    assert [len(cell.runs) for (cell,) in table.cells] == [2, 2]
    assert table.axes.mixed == table.axes.following == ()
    assert stnkit_main("report", make_run.root, "--format", format_)[0] == 0


def test_an_added_option_is_compared_with_its_default(make_run, runs_of):
    make_run(record={"test_error": 1.0})
    make_run(record=of_this_version(), **{**NEW, "training": {"keep": "best", "patience": None}})
    table = make_table(runs_of())
    assert table.axes.rows == ("training.keep",)
    assert table.rows == [("last",), ("best",)]


@pytest.mark.parametrize(("aspect", "n_rows"), [(1.0, 1), (1.5, 2)])
def test_the_earlier_default_aspect_is_that_of_square_images(aspect, n_rows, make_run, runs_of):
    make_run(seed=0, transform={"name": "rotation", "aspect": 1.0}, distortion=RTS)
    record = of_this_version(options_from_images={"input": {"aspect": aspect}})
    new = {"transform": {"name": "rotation", "aspect": None}, "distortion": RTS, "record": record, **NEW}
    make_run(seed=1, **new)
    assert len(make_table(runs_of()).rows) == n_rows


@pytest.mark.parametrize(("name", "added"), [("rotation", {"ndim": 2}), ("attention", {"isotropic": True, "ndim": 2})])
def test_a_later_option_of_a_transform_has_its_default(name, added, make_run, runs_of):
    make_run(seed=0, transform={"name": name})
    make_run(seed=1, transform={"name": name} | added, record=of_this_version(), **NEW)
    make_run(transform={"name": "affine"})
    table = make_table(runs_of())
    assert table.axes.rows == ("transform",)
    make_run(transform={"name": name} | added | {"ndim": 3}, record=of_this_version(), **NEW)
    assert len(make_table(runs_of()).rows) == 3


def test_an_aspect_that_a_user_chose_is_a_row_of_its_own(make_run, runs_of):
    record = of_this_version(options_from_images={"input": {"aspect": 1.0}})
    make_run(transform={"name": "rotation", "aspect": None}, record=record, **NEW)
    make_run(transform={"name": "rotation", "aspect": 1.0}, record=of_this_version(), **NEW)
    make_run(transform={"name": "rotation", "aspect": 2.0})
    assert len(make_table(runs_of()).rows) == 3


def test_a_column_of_runs_without_its_key_has_a_title(stnkit_main, make_run):
    make_run(transform={"name": "affine"}, record={"test_error": 1.0})
    make_run(transform={"name": "affine", "order": 2}, record={"test_error": 2.0})
    code, out, _ = stnkit_main("report", make_run.root, "--rows", "network", "--columns", "transform.order")
    assert code == 0
    assert "no order" in out
    assert "order=2" in out


def test_a_column_whose_value_is_empty_is_printed(stnkit_main, make_run):
    for name in ("", "rotation"):
        make_run(distortion={"name": name}, record={"test_error": 1.0})
    assert stnkit_main("report", make_run.root, "--rows", "network", "--columns", "distortion")[0] == 0


def test_a_first_theta_is_not_of_a_network_without_transformer(make_run, runs_of):
    for theta in (None, {"zoom": 2}, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]):
        make_run(placement={"at": []}, transform_init=theta)
    assert len(make_table(runs_of()).rows) == 1


@pytest.mark.parametrize(("padding", "n_rows"), [("zeros", 1), ("border", 2)])
def test_earlier_defaults_in_pixels_are_in_proportion_now(padding, n_rows, make_run, runs_of):
    make_run(seed=0, distortion=RTS)
    new = {**RTS, "canvas": None, "padding": padding}
    make_run(seed=1, distortion=new, record=of_this_version(), **NEW)
    make_run(seed=0, distortion={"name": "none"})
    assert len(make_table(runs_of()).rows) == n_rows + 1


def test_a_distortion_without_padding_is_told_without_it(make_run, runs_of):
    make_run(distortion={"name": "none"}, transform={"name": "affine"})
    make_run(distortion={"name": "none"}, transform={"name": "tps"})
    assert all("padding" not in run.config["distortion"] for run in runs_of())
