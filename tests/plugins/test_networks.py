import pytest
import torch

import stnkit
from stnkit.registry import registry


@pytest.mark.parametrize("size", [(28, 28), (42, 42), (60, 60), (33, 50)])
@pytest.mark.parametrize("name", registry().names("network"))
def test_logits_for_every_class_at_every_size_of_the_paper(name, size):
    network = stnkit.build("network", name, in_shape=(2, *size), n_classes=7)
    logits = network(torch.rand(3, 2, *size))
    assert logits.shape == (3, 7)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(("name", "count"), [("paper_cnn", 411_914), ("paper_fcn", 401_110)])
def test_the_papers_networks_have_about_400_000_parameters(name, count):
    network = stnkit.build("network", name, in_shape=(1, 28, 28), n_classes=10)
    n = sum(p.numel() for p in network.parameters())
    assert n == count
    assert abs(n - 400_000) < 0.05 * 400_000


def test_the_papers_pool_comes_by_itself_for_its_large_canvases():
    for size, pooled in ((28, False), (42, True), (60, True)):
        network = stnkit.build("network", "paper_cnn", in_shape=(1, size, size), n_classes=10)
        assert any(isinstance(m, torch.nn.AvgPool2d) for m in network.modules()) == pooled


@pytest.mark.no_jaxtyping
def test_a_network_too_deep_for_its_images_says_so():
    with pytest.raises(stnkit.InputError, match=r"too deep for images of 16×16.*at least 21 pixels"):
        stnkit.build("network", "paper_cnn", in_shape=(1, 16, 16), n_classes=10)
