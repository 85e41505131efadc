import re

import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry

# Of ours; what every network has to do is checked where everything is.
NETWORKS = [
    e.name
    for e in plugin_registry().registered
    if (e.kind, e.source.distribution) == ("network", "stnkit") and e.name not in ("timm", "none")
]


@pytest.mark.parametrize("size", [(28, 28), (42, 42), (60, 60), (33, 50)])
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_for_every_class_at_every_size_of_the_paper(name, size):
    network = stnkit.build("network", name, in_shape=(2, *size), n_classes=7)
    assert network(torch.rand(3, 2, *size)).shape == (3, 7)


@pytest.mark.parametrize(("name", "count"), [("paper_cnn", 411_914), ("paper_fcn", 401_110)])
def test_the_papers_networks_have_about_400_000_parameters(name, count):
    network = stnkit.build("network", name, in_shape=(1, 28, 28), n_classes=10)
    n = sum(p.numel() for p in network.parameters())
    assert n == count
    assert abs(n - 400_000) < 0.05 * 400_000


@pytest.mark.parametrize("name", ["compact_cnn", "paper_cnn", "paper_fcn"])
def test_the_papers_pool_comes_by_itself_for_its_large_canvases(name):
    for size, pooled in ((28, False), (42, True), (60, True)):
        network = stnkit.build("network", name, in_shape=(1, size, size), n_classes=10)
        assert any(isinstance(m, torch.nn.AvgPool2d) for m in network.modules()) == pooled


def test_the_compact_network_has_batch_norm_and_no_hidden_layer():
    network = stnkit.build("network", "compact_cnn", in_shape=(1, 28, 28), n_classes=10)
    assert sum(p.numel() for p in network.parameters()) == 286_186
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules()) == 4
    (logits,) = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert (logits.in_features, logits.out_features) == (128 * 9, 10)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("paper_cnn", 16, r"too deep for images of 16×16.*at least 21 pixels"),
        ("compact_cnn", 16, r"too deep for images of 16×16.*at least 17 pixels"),
    ],
)
def test_a_network_too_deep_for_its_images_says_so(name, size, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("network", name, in_shape=(1, size, size), n_classes=10)


@pytest.mark.parametrize("name", ["paper_cnn", "compact_cnn"])
def test_a_network_of_images_names_one_that_takes_volumes(name):
    message = r"^network '\w+': in_shape: expected \(C, H, W\), got \[1, 3, 5, 4\]; for volumes choose network=(\w+)$"
    with pytest.raises(stnkit.errors.InputError, match=message) as raised:
        stnkit.build("network", name, in_shape=(1, 3, 5, 4), n_classes=10)
    named = stnkit.build("network", re.search(message, str(raised.value))[1], in_shape=(1, 3, 5, 4), n_classes=10)
    assert named(torch.rand(2, 1, 3, 5, 4)).shape == (2, 10)


@pytest.mark.parametrize(("name", "size"), [("paper_cnn", 21), ("compact_cnn", 17)])
def test_the_smallest_size_that_the_sentence_names_works(name, size):
    network = stnkit.build("network", name, in_shape=(1, size, size), n_classes=10)
    assert network(torch.rand(2, 1, size, size)).shape == (2, 10)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": [8, 8]}, "four numbers of at least 1"),
        ({"average_pool": 0}, "average_pool: expected at least 1"),
    ],
)
def test_options_of_the_compact_network_out_of_range_are_refused(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("network", "compact_cnn", in_shape=(1, 28, 28), n_classes=10, **options)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["compact_cnn", "paper_cnn", "paper_fcn"])
def test_above_96_pixels_one_sentence_names_the_resnet(name):
    for size, left in (((194, 60), "97×30"), ((224, 224), "112×112")):
        with pytest.raises(stnkit.errors.InputError, match=f"at most 96.*average_pool=2, got {left}.*network=resnet"):
            stnkit.build("network", name, in_shape=(3, *size), n_classes=3)
    for size, options in (((192, 193), {}), ((224, 224), {"average_pool": 3})):
        stnkit.build("network", name, in_shape=(3, *size), n_classes=3, **options)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["compact_cnn", "paper_cnn", "paper_fcn"])
@pytest.mark.parametrize(
    ("factor", "message"), [(0, "at least 1, got 0"), (29, "at most 28, the image's smallest side")]
)
def test_a_pool_fits_into_the_image(name, factor, message):
    with pytest.raises(stnkit.errors.InputError, match=f"average_pool: expected {message}"):
        stnkit.build("network", name, in_shape=(1, 28, 30), n_classes=10, average_pool=factor)


def test_the_pool_in_front_halves_images_of_42_pixels():
    pool_in_front = stnkit.networks.pool_in_front
    assert pool_in_front((41, 90), None) == ([], [41, 90])
    (pool,), left = pool_in_front((42, 191), None)
    assert left == [21, 95]
    assert pool(torch.ones(1, 1, 42, 191)).shape[2:] == (21, 95)
    (pool,), left = pool_in_front((7, 6, 9), 3)
    assert left == [2, 2, 3]
    assert pool(torch.ones(1, 1, 7, 6, 9)).shape[2:] == (2, 2, 3)
