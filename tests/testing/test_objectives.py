"""The synthetic runs in which objectives are checked, and objectives that are particular about them."""

import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.objectives import Figure
from stnkit.testing.component_under_test import component_under_test
from stnkit.testing.objectives.surroundings import maker, taken
from stnkit.testing.objectives.synthetic_run import SyntheticRun

from .broken.objectives import Good

pytestmark = pytest.mark.no_jaxtyping


class Straight(stnkit.Objective):
    """Brightness of the straightened image, with no network behind it."""

    figures = {"bright": Figure(higher_is_better=True)}  # noqa: RUF012 as a user writes it
    needs = ("transformer",)
    default_network = "none"

    def losses(self, batch):
        return {"loss": -batch.straightened.mean()}

    def measure(self, batch):
        return {"bright": batch.straightened.flatten(1).mean(dim=1)}


class Pairs(Straight):
    """The difference of the fixed image and the warped moving one."""

    needs = ("pair", "transformer", "true_theta")
    figures = {"difference": Figure(), "off": Figure()}  # noqa: RUF012

    def losses(self, batch):
        return {"loss": (batch.straightened - batch.fixed).square().mean()}

    def measure(self, batch):
        difference = (batch.straightened - batch.fixed).square().flatten(1).mean(dim=1)
        known = batch.of_data()
        return {"difference": difference, "off": (known.theta - known.true_theta).abs().mean(dim=1)}


class Corners(Straight):
    """It takes corners alone, and says so when it is prepared."""

    def prepare(self, setting):
        shape = setting.dataset.target_shape
        if len(setting.in_shape) != 3 or shape != (4, 2):
            raise stnkit.errors.InputError(f"expected targets of shape (4, 2), got {shape}")

    def losses(self, batch):
        return {"loss": super().losses(batch)["loss"] + 1e-3 * batch.targets.square().mean()}


class AsManyAsTargets(Good):
    """As many outputs as numbers in a target, of which it takes vectors alone."""

    terms = ("loss",)

    def n_outputs(self, dataset):
        return dataset.target_shape[0]

    def prepare(self, setting):
        if len(setting.dataset.target_shape) != 1:
            raise stnkit.errors.InputError(f"expected vectors, got targets of shape {setting.dataset.target_shape}")

    def losses(self, batch):
        return {"loss": (batch.output - batch.targets).square().mean()}

    def measure(self, batch):
        return {name: (batch.output - batch.targets).square().mean(dim=1) for name in self.figures}


class RefusesOthers(AsManyAsTargets):
    def n_outputs(self, dataset):
        if len(dataset.target_shape) != 1:
            raise stnkit.errors.InputError(f"expected vectors, got targets of shape {dataset.target_shape}")
        return super().n_outputs(dataset)


class OfSingleImages(Straight):
    def prepare(self, setting):
        if setting.dataset.pair:
            raise stnkit.errors.InputError("expected single images, got pairs")


class Volumes(Straight):
    def losses(self, batch):
        _, _, depth, height, width = batch.straightened.shape
        return {"loss": batch.straightened.sum() / (depth * height * width)}


def accepted(cls, **options):
    return taken(component_under_test(cls, options))


def reasons(checked, outcome):
    return {result.name: result.reason for result in checked.results if result.outcome == outcome}


@pytest.mark.slow
@pytest.mark.parametrize("cls", [Good, Straight, Pairs])
def test_images_and_volumes_are_tried_and_pairs_where_needed(cls):
    found = accepted(cls)
    assert {given.pair for given in (*found.main, *found.others)} == {cls is Pairs}
    assert {len(given.shape) for given in found.main} == {3}
    assert {len(given.shape) for given in found.others} == {4}
    skipped = reasons(stnkit.testing.check(cls), "skipped")
    assert skipped.get("pairs") == ("it needs pairs, and is checked for these" if cls is Pairs else None)
    assert skipped.get("pictures") == (None if cls is Good else "it adds no pictures and no outlines")


@pytest.mark.slow
def test_an_objective_may_refuse_pairs_with_its_reason():
    skipped = reasons(stnkit.testing.check(OfSingleImages), "skipped")
    assert skipped["pairs"] == "it takes single images only: expected single images, got pairs"


@pytest.mark.slow
def test_an_objective_gets_the_targets_that_it_does_not_refuse():
    found = accepted(Corners)
    assert {given.targets for given in found.main} == {"corners"}
    checked = stnkit.testing.check(Corners)
    assert reasons(checked, "skipped")["dimensions"].startswith(
        "it takes images only: expected targets of shape (4, 2)"
    )


@pytest.mark.slow
def test_the_number_of_outputs_may_refuse_targets_too():
    found = accepted(RefusesOthers)
    assert {given.targets for given in found.main} == {"sequences"}
    assert stnkit.testing.check(RefusesOthers).ok


def test_an_error_of_n_outputs_names_the_hook_and_the_targets():
    failed = reasons(stnkit.testing.run(AsManyAsTargets), "failed")
    assert list(failed) == ["construction"]
    assert failed["construction"] == (
        "it cannot be built for images of [1, 20, 16]: AsManyAsTargets.n_outputs: expected a number or an InputError "
        "for targets of shape (), got IndexError: tuple index out of range"
    )


@pytest.mark.slow
def test_an_objective_for_volumes_alone_is_checked_for_these():
    assert {len(given.shape) for given in accepted(Volumes).main} == {4}
    skipped = reasons(stnkit.testing.check(Volumes), "skipped")
    assert skipped["pictures"] == "it takes volumes, of which a run has no pictures"
    assert skipped["dimensions"].startswith("it takes volumes only: ")


@pytest.mark.slow
def test_an_objective_that_refuses_everything_fails_construction():
    class Refuses(Straight):
        def prepare(self, setting):
            raise stnkit.errors.InputError("expected the moon, got images")

    failed = reasons(stnkit.testing.run(Refuses), "failed")
    assert list(failed) == ["construction"]
    assert failed["construction"].endswith("expected the moon, got images")


def test_an_error_of_prepare_fails_construction_with_its_name():
    class Breaks(Straight):
        def prepare(self, setting):
            raise KeyError("no such attribute")

    failed = reasons(stnkit.testing.run(Breaks), "failed")
    assert list(failed) == ["construction"]
    assert "it cannot be built for images of [1, 20, 16]: KeyError: 'no such attribute'" in failed["construction"]


def test_pairs_need_an_even_number_of_channels():
    checked = stnkit.testing.run(Pairs, in_shape=[3, 20, 16])
    assert (
        "expected an even number of channels, those of two images, got 3" in reasons(checked, "failed")["construction"]
    )
    assert stnkit.testing.check(Pairs, in_shape=[6, 20, 16]).ok


@pytest.mark.slow
def test_an_object_is_checked_and_stays_as_it_is():
    objective = Good()
    assert stnkit.testing.check(objective).ok
    assert objective.level == 0
    assert objective.training


def test_the_true_theta_of_single_images_maps_to_the_original():
    given = accepted(Straight).main[0]
    run = SyntheticRun(maker(component_under_test(Straight, {})), given)
    batch = run.batch()
    original, _ = run.dataset.split("train")
    matrix = torch.eye(2, 3) + batch.true_theta.view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(original.shape), align_corners=False)
    torch.testing.assert_close(batch.images, F.grid_sample(original, grid, align_corners=False), atol=1e-5, rtol=0)


def test_the_true_theta_of_pairs_maps_fixed_points_to_moving():
    given = accepted(Pairs).main[0]
    run = SyntheticRun(maker(component_under_test(Pairs, {})), given)
    batch = run.batch()
    matrix = torch.eye(2, 3) + batch.true_theta.view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(batch.moving.shape), align_corners=False)
    torch.testing.assert_close(F.grid_sample(batch.moving, grid, align_corners=False), batch.fixed, atol=1e-5, rtol=0)
    assert batch.straightened.shape == batch.fixed.shape
    matrix = torch.eye(2, 3) + batch.theta.detach().view(-1, 2, 3)
    shown = F.grid_sample(
        batch.moving, F.affine_grid(matrix, list(batch.moving.shape), align_corners=False), align_corners=False
    )
    torch.testing.assert_close(batch.straightened.detach(), shown, atol=1e-5, rtol=0)
