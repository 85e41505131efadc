"""The contract of objectives, and the batch that they see."""

import dataclasses

import pytest
import torch

import stnkit
from stnkit.objectives import Batch, Figure


class Darkest(stnkit.Objective):
    figures = {"brightness": Figure(), "contrast": Figure("%", higher_is_better=True)}  # noqa: RUF012

    def losses(self, batch):
        return {"loss": batch.straightened.mean()}

    def measure(self, batch):
        pixels = batch.straightened.flatten(1)
        return {"brightness": pixels.mean(dim=1), "contrast": 100 * pixels.std(dim=1)}


def batch(n=6, n_data=6):
    images = torch.rand(n, 2, 4, 4)
    return Batch(
        images=images,
        targets=torch.arange(n),
        true_theta=torch.zeros(n_data, 6),
        theta=torch.rand(n, 6),
        straightened=images,
        output=torch.rand(n, 10),
        network=torch.nn.Identity(),
        draws=torch.Generator(),
    )


def test_the_first_figure_is_the_primary_one():
    assert Darkest().primary == "brightness"


def test_an_objective_needs_nothing_unless_it_says_so():
    objective = Darkest()
    assert (objective.needs, objective.terms, objective.default_network, objective.default_placement) == (
        (),
        ("loss",),
        None,
        None,
    )
    assert objective.n_outputs(stnkit.build("dataset", "digits")) is None


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"figures": {}}, "figures: expected a mapping of names to Figure, at least one, got {}"),
        ({"figures": {"iou": "%"}}, "figures: expected a mapping of names to Figure, at least one, got {'iou': '%'}"),
        ({"figures": {"loss": Figure()}}, "figures: expected a mapping of names to Figure"),
        ({"figures": {"mean iou": Figure()}}, "figures: expected a mapping of names to Figure"),
        ({"terms": ()}, "terms: expected names of losses, at least one, got ()"),
        ({"needs": ("label",)}, "needs: expected a tuple of labels, pair, transformer, true_theta, got ('label',)"),
    ],
)
def test_attributes_are_checked_when_an_objective_is_made(attributes, message):
    broken = type("Broken", (Darkest,), attributes)
    with pytest.raises(stnkit.errors.InputError) as raised:
        broken()
    assert str(raised.value).startswith(f"Broken.{message}")


def test_a_pair_is_the_moving_and_then_the_fixed_image():
    given = batch()
    assert torch.equal(given.moving, given.images[:, :1])
    assert torch.equal(given.fixed, given.images[:, 1:])


def test_rows_of_data_are_those_with_a_true_theta():
    given = batch(6, 3)
    own = given.of_data()
    for name in ("images", "targets", "theta", "straightened", "output"):
        assert torch.equal(getattr(own, name), getattr(given, name)[:3])
    assert own.network is given.network
    assert own.draws is given.draws
    alone = dataclasses.replace(given, theta=None)
    assert alone.of_data().theta is None


def test_all_rows_are_data_where_the_truth_is_not_known():
    given = dataclasses.replace(batch(), true_theta=None)
    assert given.of_data() is given
    assert batch().of_data().images.shape == (6, 2, 4, 4)
