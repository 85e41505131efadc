"""Parts of the tests of co-localization: an objective in its setting, batches, and the losses by loops."""

import numpy as np
import torch
from torch import nn

import stnkit
from stnkit.objectives import Batch, Setting

SIZE, SHOWN = (24, 30), (10, 10)
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 3])


class Recording(stnkit.Sampler):
    """A sampler that remembers its grids."""

    def __init__(self):
        super().__init__()
        self.grids, self.sampler = [], stnkit.build("sampler", "bilinear")

    def forward(self, image, grid):
        self.grids.append(grid)
        return self.sampler(image, grid)


class Constant(nn.Module):
    """An encoder that is the same for all images."""

    def forward(self, images):
        return torch.ones(len(images), 4)


def prepared(family="attention", distortion="translated_cluttered", **options):
    """An objective behind `prepare`, and its setting: images of 12×12 pixels on a canvas of 24×30."""
    dataset = stnkit.build("dataset", "digits")
    chosen = {"canvas": list(SIZE)} if distortion == "translated_cluttered" else {}
    warped = stnkit.build("distortion", distortion, image_shape=(2, 12, 12), **chosen)
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(2, *SIZE))
    transformer = stnkit.SpatialTransformer(localizer, stnkit.build("transform", family), Recording(), SHOWN)
    objective = stnkit.build("objective", "colocalization", **options)
    setting = Setting(dataset, warped, (2, *SIZE), transformer)
    objective.prepare(setting)
    return objective, setting


def windows(n, zoom=2.5, seed=0):
    """θ of `attention`: windows of any place and of about one size."""
    theta = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)) * torch.tensor([0.1, 0.4, 0.4])
    return theta - torch.tensor([np.log(zoom), 0, 0]).float()


def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Flatten(), nn.Linear(2 * SHOWN[0] * SHOWN[1], 5))


def batch(setting, theta, labels=LABELS, encoder=None, seed=0, true_theta=None):
    images = torch.rand(len(theta), 2, *SIZE, generator=torch.Generator().manual_seed(1))
    shown = setting.transformer.warp(images, theta)
    encoder = network() if encoder is None else encoder
    draws = torch.Generator().manual_seed(seed)
    return Batch(images, labels, true_theta, theta, shown, encoder(shown), encoder, draws)


def encodings(objective, given, seed=0):
    """Embeddings of the crops and of the random crops in NumPy, by the definition."""
    given.draws.manual_seed(seed)
    crops = [given.straightened, *objective.crops(given)]
    given.draws.manual_seed(seed)
    with torch.no_grad():
        values = np.concatenate([given.network(each).double().numpy() for each in crops])
    values = (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + 1e-5)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values[: len(given.images)], values[len(given.images) :].reshape(-1, len(given.images), values.shape[1])


def hinges(objective, own, random, labels):
    """The two losses by loops over triplets."""
    triplets, classes = [], []
    for n, a in enumerate(own):
        for m, b in enumerate(own):
            if n == m or labels[n] != labels[m]:
                continue
            near = ((a - b) ** 2).sum()
            triplets += [max(0, near - ((a - r[n]) ** 2).sum() + objective.margin) for r in random]
            others = [own[k] for k in range(len(own)) if labels[k] != labels[n]]
            classes += [max(0, near - ((a - c) ** 2).sum() + objective.margin) for c in others]
    return np.mean(triplets), np.mean(classes)


def window_term(theta):
    """The term of squares of half side e^s about t in NumPy."""
    native = np.array([SHOWN[1] / SIZE[1], SHOWN[0] / SIZE[0]])
    half = np.exp(theta[:, :1])
    sizes = np.log(half / native) ** 2
    outside = [np.maximum(0, sign * theta[:, 1:] + half - 1) / (2 * native) for sign in (-1, 1)]
    return (sizes + outside[0] ** 2 + outside[1] ** 2).sum(axis=1).mean()
