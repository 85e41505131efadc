import pytest

import stnkit
from stnkit.experiments.report.published_results import compare, load_published
from stnkit.experiments.report.table import make_table
from tests.helpers import RECORDED_COMPONENTS

PAPER = load_published("paper")
# Components as in the config of a run, with options that the data file does not name.
FCN = {"name": "paper_fcn", "hidden": [8]}
ELASTIC = {"name": "elastic"}
TC = {"name": "translated_cluttered"}


@pytest.mark.parametrize(
    ("config", "result"),
    [
        ({"placement": {"at": []}, "network": FCN}, 2.1),
        ({"placement": {"at": []}}, 1.2),
        ({"placement": {"at": []}, "distortion": TC}, 3.5),
        ({"network": FCN, "distortion": ELASTIC}, 2.7),
        ({}, 0.7),
        ({"transform": {"name": "projective"}, "distortion": RECORDED_COMPONENTS["rts"]}, 0.6),
        ({"transform": RECORDED_COMPONENTS["tps"], "distortion": ELASTIC}, 1.1),
        ({"transform": RECORDED_COMPONENTS["tps"] | {"control_points": [4, 4]}}, 0.7),
        ({"transform": RECORDED_COMPONENTS["tps"] | {"control_points": [8, 8]}}, None),
        ({"transform": RECORDED_COMPONENTS["tps"], "distortion": TC}, None),
        ({"transform": {"name": "rotation"}}, None),
        ({"placement": {"at": ["conv2"]}}, None),
        ({"placement": {"at": ["input"], "recurrent": 2}}, None),
        ({"network": {"name": "compact_cnn"}}, 0.7),
        ({"network": {"name": "compact"}}, None),
        ({"network": {"name": "augmented", "inner": "compact_cnn", "distortion": None}}, 0.7),
        ({"network": {"name": "augmented", "inner": FCN, "distortion": None}}, 1.2),
        ({"network": {"name": "augmented", "inner": {"name": "resnet", "width": 8}, "distortion": None}}, None),
        ({"objective": {"name": "sequence"}}, None),
        ({"distortion": {"name": "rotation", "degrees": 30.0}}, None),
    ],
)
def test_a_run_is_compared_with_its_model_and_distortion(config, result, make_run, runs_of):
    make_run(**config, record={"test_error": 5.0})
    table = make_table(runs_of())
    comparison = compare(table, PAPER)
    assert comparison.results.get((0, 0)) == result
    if result is None:
        assert comparison.difference(table, 0, 0) is None
        assert any(note.startswith("the paper has no result for all runs: ") for note in comparison.notes)
    else:
        assert comparison.difference(table, 0, 0) == pytest.approx(5.0 - result)
        assert comparison.text(table, 0, 0, "test_error") == f"the paper {result}, +{5.0 - result:.2f}"


def test_the_data_file_holds_the_whole_of_table_1():
    assert sum(len(row) for row in PAPER.results.values()) == 2 * 5 + 2 * (5 + 4 + 4)
    assert set(PAPER.results) == set(PAPER.rows)
    assert {column for row in PAPER.results.values() for column in row} == set(PAPER.columns)


def test_an_empty_cell_has_the_result_of_its_row_and_column(make_run, runs_of):
    make_run(record={"test_error": 1.0})
    make_run(distortion=RECORDED_COMPONENTS["rts"], record={"test_error": 1.0})
    make_run(transform=RECORDED_COMPONENTS["tps"], record={"test_error": 1.0})
    table = make_table(runs_of())
    comparison = compare(table, PAPER)
    assert not table.cells[1][1].runs
    assert comparison.results == {(0, 0): 0.7, (0, 1): 0.5, (1, 0): 0.7, (1, 1): 0.5}
    assert comparison.text(table, 1, 1, "test_error") == "the paper 0.5"


def test_the_source_and_a_difference_in_data_are_noted(make_run, runs_of):
    make_run(dataset={"name": "digits"}, network={"name": "compact_cnn"}, record={"test_error": 1.0})
    notes = compare(make_table(runs_of()), PAPER).notes
    assert any("Jaderberg" in note for note in notes)
    assert "not directly comparable: the paper uses dataset=mnist, these runs use digits" in notes
    assert "not directly comparable: the paper uses network=paper_cnn or paper_fcn, these runs use compact_cnn" in notes


def test_a_network_of_the_paper_needs_no_note(make_run, runs_of):
    make_run(record={"test_error": 1.0})
    make_run(network=FCN, record={"test_error": 1.0})
    assert not any("network=" in note for note in compare(make_table(runs_of()), PAPER).notes)


@pytest.mark.no_jaxtyping
def test_unknown_results_and_other_metrics_are_refused(make_run, runs_of):
    make_run(record={"test_error": 1.0, "seconds": 2.0})
    with pytest.raises(stnkit.errors.InputError, match="results 'nature'; the published results are paper"):
        load_published("nature")
    with pytest.raises(stnkit.errors.InputError, match="are test_error: expected it among the values, got seconds"):
        compare(make_table(runs_of(), metrics=["seconds"]), PAPER)
