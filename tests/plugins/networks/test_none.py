import torch

import stnkit


def test_no_network_hands_the_image_on():
    network = stnkit.build("network", "none", in_shape=(1, 8, 8), n_classes=3)
    image = torch.rand(2, 1, 8, 8)
    assert network(image) is image
    assert network.gives_image
    assert not list(network.parameters())
