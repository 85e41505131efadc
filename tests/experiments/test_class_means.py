import torch

from stnkit.experiments.class_means import class_means


def test_class_means_are_means_of_each_class():
    images, labels = torch.rand(20, 1, 3, 4), torch.arange(20) % 3
    means = class_means(images, labels, 4)
    for label in range(3):
        torch.testing.assert_close(means[label], images[labels == label].mean(dim=0))


def test_a_class_without_images_has_no_mean():
    means = class_means(torch.rand(20), torch.arange(20) % 3, 4)
    assert means.isnan().tolist() == [False, False, False, True]
