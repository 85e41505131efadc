from typing import Any

from torch import nn

import stnkit

from . import plugin_api_1, vectors


class Good(vectors.Vector, stnkit.Localizer):
    def __init__(self, in_shape: tuple[int, ...], width: int = 4) -> None:
        super().__init__()
        self.n_features = width
        self.make(in_shape, width)

    def features(self, image):
        return self.vector(image)


class NoConfig(Good):
    def __init__(self, in_shape: tuple[int, ...], dtype: Any = vectors.ODD) -> None:
        super().__init__(in_shape)


with plugin_api_1():

    class Overrides(Good):
        def forward(self, image):
            return super().forward(image)


class GoodMap(stnkit.Localizer):
    """A map of features: two convolutions over images or volumes."""

    feature_map = True

    def __init__(self, in_shape: tuple[int, ...], width: int = 4) -> None:
        super().__init__()
        conv: Any = nn.Conv2d if len(in_shape) == 3 else nn.Conv3d
        self.layers = nn.Sequential(
            conv(in_shape[0], width, 3, stride=2, padding=1), nn.Tanh(), conv(width, width, 3, padding=1), nn.Tanh()
        )
        self.n_features = width

    def features(self, image):
        return self.layers(image)


class Scaled(Good):
    """Features of any size."""

    def __init__(self, in_shape: tuple[int, ...], factor: float = 1e4) -> None:
        super().__init__(in_shape)
        self.factor = factor

    def features(self, image):
        return self.factor * super().features(image)


class ScaledMap(GoodMap):
    def features(self, image):
        return 1e4 * super().features(image)


class Transposes(GoodMap):
    def features(self, image):
        return super().features(image).transpose(2, 3)


class Averages(GoodMap):
    """A vector where it says that it gives a map."""

    def features(self, image):
        return super().features(image).flatten(2).mean(dim=2)


class Normalizes(Good):
    def features(self, image):
        flat = image.flatten(1)
        return super().features(image) + (flat.mean(dim=1) / flat.std(dim=1, correction=0))[:, None]


class Raises(vectors.Raises, Good): ...


class Rounds(vectors.Rounds, Good): ...


class Squeezes(vectors.Squeezes, Good): ...


class SqueezesVolumes(vectors.SqueezesVolumes, Good): ...


class Convolves(vectors.Convolves, Good): ...


class Unused(vectors.Unused, Good): ...


class Jitters(vectors.Jitters, Good): ...


class Centers(vectors.Centers, Good): ...


class Widens(vectors.Widens, Good): ...


class HiddenState(vectors.HiddenState, Good): ...


class HoldsALambda(vectors.HoldsALambda, Good): ...


class NoCopy(vectors.NoCopy, Good): ...


class Branches(vectors.Branches, Good): ...


BROKEN = {
    "construction": Raises,
    "final_methods": Overrides,
    "config": NoConfig,
    "unchanged_arguments": Rounds,
    "input_sizes": Squeezes,
    "dimensions": SqueezesVolumes,
    "map_position": Transposes,
    "too_small_input": Convolves,
    "identity_transformer": Normalizes,
    "gradients": Unused,
    "deterministic_in_eval": Jitters,
    "batch_independence": Centers,
    "dtype_and_device": Widens,
    "state_dict": HiddenState,
    "pickled": HoldsALambda,
    "deep_copied": NoCopy,
    "compiled": Branches,
}
