import pytest

import stnkit
from stnkit.experiments.report.axes import choose_axes
from stnkit.experiments.report.flat_config import flatten, label
from tests.helpers import RECORDED_COMPONENTS, RECORDED_CONFIG


def flat(**changes):
    return flatten(RECORDED_CONFIG | changes)


def axes(flats, **kwargs):
    chosen = choose_axes(flats, **kwargs)
    return chosen.rows, chosen.columns


def test_a_key_that_does_not_vary_is_no_axis():
    assert axes([flat(), flat()]) == ((), ())


def test_the_seed_and_run_control_are_no_axes():
    other = flat(seed=1, resume="runs/x", training=RECORDED_CONFIG["training"] | {"progress": True})
    assert axes([flat(), other]) == ((), ())


def test_a_name_is_an_axis_and_its_options_are_not():
    assert axes([flat(), flat(transform=RECORDED_COMPONENTS["tps"])]) == (("transform",), ())


def test_options_of_the_names_at_and_name_are_options():
    flats = [flat(distortion={"name": name, "at": 0.1, "tilt": {"at": 2, "name": 3}}) for name in ("shift", "tilt")]
    assert axes(flats) == (("distortion",), ())
    assert [one["distortion"] for one in flats] == ["shift", "tilt"]
    options = {key: value for key, value in flats[0].items() if key.startswith("distortion.")}
    assert options == {"distortion.at": 0.1, "distortion.tilt.at": 2, "distortion.tilt.name": 3}
    assert axes(flats, rows=["distortion.at"], columns=[]) == (("distortion.at",), ())


def test_a_component_in_a_component_is_its_name():
    flats = [flat(dataset={"name": "cached", "source": {"name": "mnist", "at": at}}) for at in (0, 1)]
    assert flats[0]["dataset.source"] == "mnist"
    assert axes(flats) == (("dataset.source.at",), ())
    assert axes(flats, rows=["dataset.source.name"], columns=[]) == (("dataset.source",), ())


def test_an_option_is_an_axis_where_one_name_has_several_values():
    flats = [flat(), *(flat(transform=RECORDED_COMPONENTS["tps"] | {"control_points": [n, n]}) for n in (3, 5))]
    rows, columns = axes(flats)
    assert {*rows, *columns} == {"transform", "transform.control_points"}


def test_the_task_makes_the_columns():
    flats = [
        flat(transform=t, distortion=d)
        for t in (RECORDED_CONFIG["transform"], RECORDED_COMPONENTS["tps"])
        for d in (RECORDED_CONFIG["distortion"], RECORDED_COMPONENTS["rts"])
    ]
    assert axes(flats) == (("transform",), ("distortion",))


def test_without_a_task_the_fewest_values_make_the_columns():
    flats = [
        flat(training=RECORDED_CONFIG["training"] | {"epochs": e, "learning_rate": r})
        for e in (1, 2, 3)
        for r in (0.1, 0.2)
    ]
    assert axes(flats) == (("training.epochs",), ("training.learning_rate",))


def test_of_keys_that_vary_together_the_first_is_an_axis():
    # As in presets of a model, where the localizer and an option of the network follow from the network.
    fcn = {"network": {"name": "paper_fcn", "hidden": [8]}, "localizer": {"name": "fully_connected", "hidden": [32]}}
    pooled = {"distortion": RECORDED_COMPONENTS["rts"], "network": RECORDED_CONFIG["network"] | {"average_pool": 2}}
    chosen = choose_axes([flat(), flat(**fcn), flat(**pooled), flat(**pooled | {"network": fcn["network"]})])
    assert (chosen.rows, chosen.columns) == (("network",), ("distortion",))
    assert chosen.mixed == ()


def test_a_network_without_transformers_has_no_transform():
    plain = {"placement": {"at": []}}
    flats = [
        flat(),
        flat(transform=RECORDED_COMPONENTS["tps"]),
        flat(**plain),
        flat(**plain, transform=RECORDED_COMPONENTS["tps"]),
    ]
    assert flats[2] == flats[3]
    rows, columns = axes(flats)
    assert (rows, columns) == (("transform",), ())
    assert [label(one, "transform") for one in flats] == ["affine", "tps", "none", "none"]
    assert label(flats[2], "sampler") == "–"


def test_the_transform_is_preferred_to_the_placement():
    # As in presets: each network without transformers and with one, in the same place.
    fcn = {"network": {"name": "paper_fcn"}}
    flats = [flat(**network, **other) for network in ({}, fcn) for other in ({"placement": {"at": []}}, {})]
    assert axes(flats)[0] + axes(flats)[1] == ("network", "placement")
    flats[-1] = flat(**fcn, transform=RECORDED_COMPONENTS["tps"])
    chosen = choose_axes(flats)
    assert {*chosen.rows, *chosen.columns} == {"network", "transform"}
    assert chosen.following == chosen.mixed == ()


def test_axes_can_be_given_and_the_rest_is_chosen():
    flats = [
        flat(transform=t, distortion=d)
        for t in (RECORDED_CONFIG["transform"], RECORDED_COMPONENTS["tps"])
        for d in (RECORDED_CONFIG["distortion"], RECORDED_COMPONENTS["rts"])
    ]
    assert axes(flats, rows=["distortion.name"]) == (("distortion",), ("transform",))
    assert axes(flats, columns=["transform"]) == (("distortion",), ("transform",))
    assert axes(flats, rows=["placement.at"], columns=[]) == (("placement",), ())
    chosen = choose_axes(flats, rows=["transform"], columns=[])
    assert chosen.mixed == ("distortion",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["seed"], "the seed cannot be a row or column"),
        (["nonsense"], "no run has the key 'nonsense'; the keys are dataset, dataset.root, distortion"),
        (["transform", "transform.name"], "'transform' is given more than once as a row or column"),
    ],
)
@pytest.mark.no_jaxtyping
def test_a_key_that_cannot_be_an_axis_is_refused(rows, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        choose_axes([flat()], rows=rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), ([4, 4], "4×4"), (True, "true"), (0.5, "0.5"), (["a", "b"], "a+b"), ([], "none"), ("x", "x")],
)
def test_labels_of_values(value, text):
    assert label({"key": value}, "key") == text
