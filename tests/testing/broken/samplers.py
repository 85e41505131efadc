from typing import Any

import torch
import torch.nn.functional as F

import stnkit

from . import called_under_autocast, plugin_api_1


class Good(stnkit.samplers.PaddedSampler):
    def sample(self, image, grid):
        return self.grid_sample(image, grid, "bilinear", margin=1)


class Plain(stnkit.Sampler):
    """Without padding, and without the checks and casts of PaddedSampler; each broken one changes one thing."""

    corners = False

    def forward(self, image, grid):
        if grid.shape[-1] not in (2, 3):
            raise stnkit.errors.InputError("a grid has 2 or 3 coordinates")
        dtype = torch.promote_types(image.dtype, grid.dtype)
        return self.read(image.to(dtype), grid.to(dtype)).to(image.dtype)

    def read(self, image, grid):
        return F.grid_sample(image, grid, align_corners=self.corners)


class Raises(Good):
    def __init__(self) -> None:
        raise KeyError("no such thing")


class NoConfig(Good):
    def __init__(self, dtype: Any = torch.float32) -> None:
        super().__init__()


with plugin_api_1():

    class Overrides(Good):
        def grid_sample(self, image, grid, mode, margin):
            return super().grid_sample(image, grid, mode, margin)


class Rounds(Plain):
    def read(self, image, grid):
        if grid.is_contiguous() and not (grid.requires_grad or image.requires_grad):
            grid.mul_(2**40).round_().div_(2**40)
        return super().read(image, grid)


class NoSinglePixels(Plain):
    def read(self, image, grid):
        if grid.shape[1:-1] == (1, 1):
            raise ValueError("a single pixel")
        return super().read(image, grid)


class NoSingleVoxels(Plain):
    def read(self, image, grid):
        if grid.shape[1:-1] == (1, 1, 1):
            raise ValueError("a single voxel")
        return super().read(image, grid)


class NoEmptyBatch(Plain):
    def read(self, image, grid):
        return super().read(image, grid.reshape(len(grid), -1, grid.shape[-1]).view(grid.shape))


class OtherExtent(Plain):
    corners = True


class Ripples(Plain):
    def read(self, image, grid):
        pixels = stnkit.coordinates.to_pixels(grid, image.shape[2:])
        ripple = 1 + 0.1 * torch.sin(torch.pi * pixels).square().sum(dim=-1)
        return super().read(image, grid) * ripple[:, None]


class OtherBorder(Good):
    def sample(self, image, grid):
        if self.sample_padding is stnkit.samplers.Padding.border:
            return F.grid_sample(image, stnkit.coordinates.finite(grid), padding_mode="reflection", align_corners=False)
        return super().sample(image, grid)


class KeepsTheGridsDtype(Plain):
    def forward(self, image, grid):
        found = super().forward(image.to(torch.promote_types(image.dtype, grid.dtype)), grid)
        return found if grid.dtype == torch.float64 else found.to(image.dtype)


class NarrowGrid(Plain):
    def forward(self, image, grid):
        short = torch.finfo(image.dtype).bits == 16
        return super().forward(image, grid.to(image.dtype).float() if short else grid)


class Narrowed(Plain):
    def read(self, image, grid):
        return super().read(image.bfloat16().to(grid.dtype) if called_under_autocast() else image, grid)


class LastGrid(Plain):
    def read(self, image, grid):
        return super().read(image, grid[-1:].expand_as(grid))


class MixesChannels(Plain):
    def read(self, image, grid):
        found = super().read(image, grid)
        return 0.9 * found + 0.1 * found.mean(dim=1, keepdim=True)


class HalfImageGradient(Plain):
    def read(self, image, grid):
        return super().read((image + image.detach()) / 2, grid)


class HalfGridGradient(Plain):
    def read(self, image, grid):
        return super().read(image, (grid + grid.detach()) / 2)


class RefusesNan(Plain):
    def read(self, image, grid):
        if not grid.isfinite().all():
            raise ValueError("not finite")
        return super().read(image, grid)


class HiddenState(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.share = 0.2 + 0.5 * torch.rand(()).item()

    def read(self, image, grid):
        nearest = F.grid_sample(image, grid, "nearest", align_corners=False)
        return (1 - self.share) * super().read(image, grid) + self.share * nearest


class HoldsALambda(Good):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda x: x


class NoCopy(Good):
    def __deepcopy__(self, memo):
        raise TypeError("one of a kind")


class Branches(Plain):
    def read(self, image, grid):
        return super().read(0 * image if float(image.detach().sum()) > 1e9 else image, grid)


class OwnSinc(stnkit.samplers.KernelSampler):
    """The other branch of `where` has a derivative of 0/0 at 0."""

    support = 2
    normalized = True

    def kernel(self, distance):
        sinc = torch.where(distance == 0, 1.0, torch.sin(torch.pi * distance) / (torch.pi * distance))
        return sinc * torch.cos(torch.pi / 4 * distance).square()


class FlatAtCenters(stnkit.samplers.KernelSampler):
    support = 1

    def kernel(self, distance):
        return torch.cos(torch.pi / 2 * distance).square()


# Broken in another way than the one of BROKEN, each with the check that finds it.
ALSO_BROKEN = {OwnSinc: "gradient_to_grid", FlatAtCenters: "gradient_to_grid"}
BROKEN = {
    "construction": Raises,
    "final_methods": Overrides,
    "config": NoConfig,
    "unchanged_arguments": Rounds,
    "shapes": NoSinglePixels,
    "dimensions": NoSingleVoxels,
    "empty_batch": NoEmptyBatch,
    "identity": OtherExtent,
    "constants": Ripples,
    "padding": OtherBorder,
    "dtype_and_device": KeepsTheGridsDtype,
    "half_precision": NarrowGrid,
    "autocast": Narrowed,
    "batch_independence": LastGrid,
    "channel_independence": MixesChannels,
    "gradient_to_image": HalfImageGradient,
    "gradient_to_grid": HalfGridGradient,
    "nan_grid": RefusesNan,
    "state_dict": HiddenState,
    "pickled": HoldsALambda,
    "deep_copied": NoCopy,
    "compiled": Branches,
}
