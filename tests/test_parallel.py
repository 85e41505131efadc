import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

import stnkit
from stnkit.insertion import find_transformers

PARTS = {"transform": "affine", "localizer": "fully_connected", "sampler": "bilinear"}


def transformer(out_size=None):
    return stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(2, 12, 12)),
        stnkit.build("transform", "affine"),
        stnkit.build("sampler", "bilinear"),
        out_size,
    )


def test_the_outputs_are_one_after_the_other_on_the_channels():
    parts = [transformer(), transformer(), transformer()]
    model = stnkit.ParallelTransformers(parts)
    with torch.no_grad():
        for part in parts:
            part.head.weight.normal_(std=0.1)
    image = torch.rand(4, 2, 12, 12)
    out = model(image)
    assert out.shape == (4, 6, 12, 12)
    for i, part in enumerate(parts):
        torch.testing.assert_close(out[:, 2 * i : 2 * i + 2], part(image))


def test_fresh_ones_repeat_the_image_and_are_not_alike():
    network = nn.Sequential(nn.Conv2d(6, 4, 3), nn.Flatten(), nn.Linear(400, 3))
    image = torch.rand(4, 2, 12, 12)
    expected = network(image.repeat(1, 3, 1, 1))
    stnkit.insert_transformers(network, {"input": PARTS | {"parallel": 3}}, image)
    torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=1e-5)
    # Each takes its own way in training.
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        network(image).square().sum().backward()
        optimizer.step()
    heads = [m.head for m in network.modules() if isinstance(m, stnkit.SpatialTransformer)]
    assert len(heads) == 3
    assert not any(
        torch.allclose(a.offset, b.offset, rtol=0.1) for a, b in [(heads[0], heads[1]), (heads[1], heads[2])]
    )


def test_in_the_middle_of_a_network_they_widen_what_follows():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(4, 3, 3))
    image = torch.rand(1, 1, 14, 14)
    stnkit.insert_transformers(network, {"1": PARTS | {"parallel": 2, "out_size": [6, 7]}}, image)
    assert network(image).shape == (1, 3, 4, 5)


STARTS = [[0.5, 0, 0, 0, 0.5, 0], [1.0, 0, 0.25, 0, 1, 0]]


@pytest.mark.parametrize(
    "starts",
    [
        STARTS,
        tuple(STARTS),
        OmegaConf.create(STARTS),
        [torch.tensor(start) for start in STARTS],
        [np.array(start) for start in STARTS],
        torch.tensor(STARTS),
        np.array(STARTS),
        [{"zoom": 2}, {"center": [0.25, 0]}],
        OmegaConf.create([{"zoom": 2}, {"center": [0.25, 0]}]),
    ],
    ids=lambda starts: type(starts).__name__,
)
@pytest.mark.parametrize("number", [2, np.int64(2)])
def test_each_may_start_from_a_theta_of_its_own(starts, number):
    network, image = nn.Sequential(nn.Conv2d(4, 1, 3)), torch.rand(2, 2, 12, 12)
    parts = PARTS | {"parallel": number, "recurrent": np.int64(1), "transform_init": starts}
    stnkit.insert_transformers(network, {"input": parts}, image)
    made = list(find_transformers(network).values())
    assert [part.localize(image)[0].tolist() for part in made] == STARTS


@pytest.mark.parametrize("start", [OmegaConf.create(STARTS[0]), torch.tensor(STARTS[0]), np.array(STARTS[0])])
def test_one_theta_is_where_all_start(start):
    network, image = nn.Sequential(nn.Conv2d(4, 1, 3)), torch.rand(2, 2, 12, 12)
    stnkit.insert_transformers(network, {"input": PARTS | {"parallel": 2, "transform_init": start}}, image)
    made = list(find_transformers(network).values())
    assert [part.localize(image)[0].tolist() for part in made] == [STARTS[0]] * 2


@pytest.mark.parametrize("starts", [STARTS, OmegaConf.create(STARTS), torch.tensor(STARTS)])
def test_starts_of_another_number_are_refused(starts):
    parts = PARTS | {"parallel": 3, "transform_init": starts}
    message = "^insertion point 'input': transform_init: expected one for each of 3 parallel transformers, got 2$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.insert_transformers(nn.Sequential(nn.Conv2d(6, 1, 3)), {"input": parts}, torch.rand(2, 2, 12, 12))


@pytest.mark.no_jaxtyping
def test_outputs_of_different_sizes_and_none_at_all_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"expected one common out_size, got \[\(6, 6\), None\]"):
        stnkit.ParallelTransformers([transformer((6, 6)), transformer()])
    with pytest.raises(stnkit.errors.InputError, match=r"got \[\]"):
        stnkit.ParallelTransformers([])


def test_transformers_of_any_iterable_are_held():
    parts = [transformer(), transformer()]
    for given in (iter(parts), tuple(parts), nn.ModuleList(parts)):
        assert list(stnkit.ParallelTransformers(given).transformers) == parts


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda: [transformer(), nn.Identity()], r"\[SpatialTransformer, Identity\]"),
        (lambda: [stnkit.SpatialTransformer], r"\[(ABCMeta|type|ContractMeta)\]"),
        (transformer, "one SpatialTransformer"),
        (lambda: 2, "one int"),
        (lambda: "abc", "one str"),
    ],
)
def test_what_is_no_iterable_of_transformers_is_refused(make, got):
    message = f"^parallel transformers: expected an iterable of SpatialTransformers, got ({got})$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.ParallelTransformers(make())
