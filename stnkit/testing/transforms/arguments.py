"""The check that a family leaves θ and points as they are."""

import contextlib

from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families.correspondences.scattered_points import scattered_points
from stnkit.families.family import TransformFamily
from stnkit.testing.arguments import require_unchanged
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, points_of, theta_of
from stnkit.testing.transforms.correspondences import MANY


def unchanged_arguments(under_test: ComponentUnderTest) -> None:
    """θ and points are not changed in place: the caller's θ would be another one than that of the map."""
    family: TransformFamily = under_test.built()
    theta, points = theta_of(family), points_of(family, batch=3)
    require_unchanged("forward", family, theta=theta, points=points)
    require_unchanged("grid", lambda theta: family.grid(theta, SIZE[family.ndim]), theta=theta)
    require_unchanged("inverse", family.inverse, theta=theta, points=points)
    with contextlib.suppress(DoesNotComposeError):
        require_unchanged("compose", family.compose, outer=theta, inner=theta_of(family, seed=2))
    if type(family)._fit is not TransformFamily._fit and family.n_params <= MANY:
        target = scattered_points(max(5**family.ndim, 2 * family.n_params), family.ndim)
        source = family(theta[:1], target).detach()
        with contextlib.suppress(InputError):  # for `fit` to find
            require_unchanged("fit", family.fit, target_points=target, source_points=source)
