from typing import Any

import torch

import stnkit

from . import plugin_api_1


class Good(stnkit.distortions.WarpDistortion):
    """Moves by up to a tenth, and says so in θ."""

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        family = stnkit.build("transform", "translation", ndim=len(image_shape) - 1)
        super().__init__(family, stnkit.build("sampler", "bilinear"), image_shape[1:])

    def sample(self, n, generator):
        return 0.2 * torch.rand(n, self.family.n_params, generator=generator) - 0.1


class Noisy(stnkit.Distortion):
    """Good with clutter and noise, which θ does not describe; each broken one changes one thing of it."""

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        self.warp = Good(image_shape)
        self.family, self.out_size = self.warp.family, self.warp.out_size

    def sample(self, n, generator):
        return self.warp.sample(n, generator)

    def apply(self, images, theta, generator):
        out = self.warp.apply(images, theta, generator)
        out = (out + 0.02 * torch.randn(out.shape, generator=generator)).clamp(0, 1)
        for image in out:
            corner = [int(torch.randint(0, n - 5, (), generator=generator)) for n in self.out_size]
            image[(slice(None), *(slice(c, c + 5) for c in corner))] = 1.0
        return out


class Changed(stnkit.Distortion):
    """Good, with `changed` on top: WarpDistortion's own `apply` is final."""

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        self.warp = Good(image_shape)
        self.family, self.out_size = self.warp.family, self.warp.out_size

    def sample(self, n, generator):
        return self.warp.sample(n, generator)

    def apply(self, images, theta, generator):
        return self.changed(images, self.warp.apply(images, theta, generator))

    def changed(self, images, out):
        return out


class Raises(Good):
    def __init__(self, image_shape: tuple[int, ...]) -> None:
        raise KeyError("no such thing")


class NoConfig(Good):
    def __init__(self, image_shape: tuple[int, ...], dtype: Any = torch.float32) -> None:
        super().__init__(image_shape)


with plugin_api_1():

    class Overrides(Good):
        def apply(self, images, theta, generator):
            return super().apply(images, theta, generator)


class Rounds(Changed):
    def apply(self, images, theta, generator):
        return super().apply(images, theta.mul_(2**20).round_().div_(2**20), generator)


class DrawsAnArray(Good):
    def sample(self, n, generator):
        return super().sample(n, generator).numpy()


class WideTheta(Good):
    def sample(self, n, generator):
        return super().sample(n, generator).double()


class Counts(Good):
    """Every call draws something else."""

    def sample(self, n, generator):
        self.calls = getattr(self, "calls", 0) + 1
        return super().sample(n, generator) * 0.9**self.calls


class DrawsWhenMade(Good):
    """θ of its constructor: those of another process are others."""

    n_drawn = 10_000

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        super().__init__(image_shape)
        self.drawn = 0.2 * torch.rand(self.n_drawn, self.family.n_params) - 0.1

    def sample(self, n, generator):
        return self.drawn[:n]


class DrawsFew(DrawsWhenMade):
    """Enough for a batch, and not for a split."""

    n_drawn = 1000

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        super().__init__(image_shape)
        self.drawn = 0.2 * torch.rand(self.drawn.shape, generator=torch.Generator().manual_seed(0)) - 0.1


class DrawsOneSeed(Good):
    def sample(self, n, generator):
        return super().sample(n, torch.Generator().manual_seed(0))


class NoiseWhenMade(Changed):
    def __init__(self, image_shape: tuple[int, ...]) -> None:
        super().__init__(image_shape)
        self.noise = 0.01 * torch.rand(self.out_size)

    def changed(self, images, out):
        return out + self.noise.to(out)


class OwnNoise(Changed):
    def changed(self, images, out):
        self.calls = getattr(self, "calls", 0) + 1
        return out + 1e-7 * self.calls


class Disturbs(Good):
    def sample(self, n, generator):
        torch.rand(())
        return super().sample(n, generator)


class Widens(Changed):
    def changed(self, images, out):
        return out.double() if out.ndim == 4 else out


class WidensOneVolume(Changed):
    def changed(self, images, out):
        return out.double() if out.ndim == 5 and len(out) == 1 else out


class Brightens(Changed):
    def changed(self, images, out):
        return out * (1 + 0.5 * images.amin())


class Slips(Changed):
    def apply(self, images, theta, generator):
        return self.warp.apply(images, theta + 0.1, generator)


class Normalizes(Changed):
    def changed(self, images, out):
        return out / images.amax().clamp(min=1e-3)


class MilderElsewhere(Good):
    def milder(self):
        return Good((1, *(2 * n for n in self.out_size)))


BROKEN = {
    "construction": Raises,
    "final_methods": Overrides,
    "config": NoConfig,
    "unchanged_arguments": Rounds,
    "theta": WideTheta,
    "seeded_draws": Counts,
    "seeded_images": OwnNoise,
    "global_random_state": Disturbs,
    "shapes": Widens,
    "dimensions": WidensOneVolume,
    "values_in_range": Brightens,
    "theta_reproduces_the_image": Slips,
    "batch_independence": Normalizes,
    "milder": MilderElsewhere,
}
ALSO_BROKEN = {
    DrawsAnArray: "theta",
    DrawsWhenMade: "seeded_draws",
    DrawsOneSeed: "seeded_draws",
    NoiseWhenMade: "seeded_images",
}
