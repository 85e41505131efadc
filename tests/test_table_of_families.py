"""The table at the top of docs/families.md: what it says that a family can do is tried."""

import math
import re

import pytest
import torch

import stnkit
from stnkit.plugin_system.options import options_of
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import ROOT

HEAD = (ROOT / "docs" / "families.md").read_text().partition("\n## ")[0]
COLUMNS, _, *BODY = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in HEAD.splitlines() if line.startswith("|")
]
ROWS = {re.match(r"\[(\w+)\]\(#\1\)", row[0])[1]: dict(zip(COLUMNS, row, strict=True)) for row in BODY}
SIZE = (12, 12)


def options_named(name):
    return {option.name for option in options_of(plugin_registry().component("transform", name))}


def variants(name, ndim):
    """The family in `ndim` dimensions, once for each value of `isotropic`."""
    chosen = [{"isotropic": value} for value in (True, False)] if "isotropic" in options_named(name) else [{}]
    return [stnkit.build("transform", name, **({"ndim": ndim} if ndim == 3 else {}), **each) for each in chosen]


def is_own_inverse(family):
    return type(family)._inverse is not stnkit.TransformFamily._inverse


def random_theta(family, spread, batch=8):
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(batch, family.n_params, generator=draw, dtype=torch.float64)
    return family.identity() + spread * noise


def folds(family):
    return any(stnkit.folds(family, random_theta(family, spread), SIZE).any() for spread in (0.4, 1.5))


def test_it_has_a_row_for_every_family_in_the_order_of_the_page():
    page = (ROOT / "docs" / "families.md").read_text()
    assert [*ROWS, "Samplers"] == re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert set(ROWS) == {
        e.name for e in plugin_registry().registered if e.kind == "transform" and e.source.distribution == "stnkit"
    }


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize(("column", "ndim"), [("θ, images", 2), ("θ, volumes", 3)])
def test_the_entries_of_theta_are_as_many(name, column, ndim):
    cell = ROWS[name][column]
    if cell == "–":
        assert "ndim" not in options_named(name)
    elif cell == "`inner`":
        inner = {"name": "affine", "ndim": ndim}
        family = stnkit.build("transform", name, inner=inner)
        assert (family.ndim, family.n_params) == (ndim, stnkit.build("transform", inner).n_params)
    elif cell == "`stages`":
        stages = [{"name": stage, "ndim": ndim} for stage in ("affine", "tps")]
        family = stnkit.build("transform", name, stages=stages)
        assert family.ndim == ndim
        assert family.n_params == sum(stnkit.build("transform", stage).n_params for stage in stages)
    elif cell.endswith("K"):
        (family,) = variants(name, ndim)
        assert cell == f"{ndim}K"
        assert family.n_params == ndim * math.prod(family.lattice_shape)
    else:
        expected = [int(number) for number in re.findall(r"(?<![×\d])\d+(?!×)", cell)]
        assert [family.n_params for family in variants(name, ndim)] == expected


@pytest.mark.parametrize("name", ROWS)
def test_families_compose_where_it_says_so(name):
    for family in variants(name, 2):
        theta = random_theta(family, 0.1)
        if ROWS[name]["compose"] == "yes":
            points = torch.rand(8, 5, 2, dtype=torch.float64) - 0.5
            product = family(family.compose(theta, theta), points)
            torch.testing.assert_close(product, family(theta, family(theta, points)))
        else:
            with pytest.raises(stnkit.errors.DoesNotComposeError):
                family.compose(theta, theta)


@pytest.mark.parametrize("name", ROWS)
def test_inverses_are_of_the_kind_that_it_says(name):
    (family, *_), kind = variants(name, 2), ROWS[name]["inverse"]
    assert is_own_inverse(family) == (kind != "Newton")
    if kind == "−θ":
        theta, points = random_theta(family, 0.1), torch.rand(8, 5, 2, dtype=torch.float64) - 0.5
        torch.testing.assert_close(family(-theta, family(theta, points)), points, atol=1e-5, rtol=0)
    else:
        assert kind in ("closed form", "Newton", "`inner`", "`stages`")


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_families_fold_where_it_says_so(name):
    cell = ROWS[name]["folds"]
    if cell == "`inner`":
        assert [folds(stnkit.build("transform", name, inner=inner)) for inner in ("scale", "affine")] == [False, True]
    elif cell == "`stages`":
        stages = [["scale", "rotation"], ["scale", "affine"]]
        assert [folds(stnkit.build("transform", name, stages=each)) for each in stages] == [False, True]
    else:
        assert [folds(family) for family in variants(name, 2)] == [cell == "yes"] * len(variants(name, 2))


@pytest.mark.parametrize("name", ROWS)
def test_families_have_a_lattice_where_it_says_so(name):
    if (cell := ROWS[name]["lattice"]) == "`inner`":
        lattices = [stnkit.build("transform", name, inner=inner).lattice_shape for inner in ("affine", "bspline")]
        assert lattices == [None, (8, 8)]
    else:
        assert [family.lattice_shape is not None for family in variants(name, 2)] == [cell == "yes"] * len(
            variants(name, 2)
        )
