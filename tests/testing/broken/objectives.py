from typing import Any

import torch

import stnkit
from stnkit.objectives import Figure


class Good(stnkit.Objective):
    """Outputs near the running mean of the brightness; each broken one changes one thing of it."""

    figures = {"size": Figure(), "contrast": Figure("%", higher_is_better=True)}  # noqa: RUF012 as a user writes it
    terms = ("near", "dark")

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("level", torch.zeros(()))

    def n_outputs(self, dataset):
        return 3

    def losses(self, batch):
        bright = batch.straightened.flatten(1).mean(dim=1)
        if self.training:
            self.level.lerp_(bright.detach().mean().to(self.level), 0.5)
        weights = torch.rand(len(bright), generator=batch.draws).to(bright)
        return {"near": (batch.output - self.level).square().mean(), "dark": (weights * bright).mean()}

    def measure(self, batch):
        contrast = 100 * (batch.straightened.flatten(1).mean(dim=1) - self.level)
        return {"size": batch.output.flatten(1).square().mean(dim=1), "contrast": contrast}

    def pictures(self, batch):
        return {"straightened": batch.straightened}

    def outlines(self, batch):
        return {"diagonal": torch.tensor([[-1.0, -1.0], [1.0, 1.0]]).expand(len(batch.images), 2, 2)}


class Changed(Good):
    """Good, with `more` added to a loss."""

    def losses(self, batch):
        losses = super().losses(batch)
        return {**losses, "near": losses["near"] + self.more(batch)}


class Measured(Good):
    """Good, with `also` added to a figure."""

    def measure(self, batch):
        figures = super().measure(batch)
        return {**figures, "size": figures["size"] + self.also(batch)}


class Bare(Good):
    def losses(self, batch):
        return sum(super().losses(batch).values())


class Listed(Good):
    def measure(self, batch):
        return list(super().measure(batch).values())


class Raises(Good):
    def __init__(self) -> None:
        raise KeyError("no such thing")


class NoConfig(Good):
    def __init__(self, dtype: Any = torch.float32) -> None:
        super().__init__()


class NoNetwork(Good):
    def n_outputs(self, dataset):
        return None


class OneMore(Good):
    def losses(self, batch):
        return {**super().losses(batch), "more": batch.output.mean()}


class NotOne(Good):
    def losses(self, batch):
        return {name: value[None] for name, value in super().losses(batch).items()}


class EachWeight(Good):
    def total_weight(self, batch):
        return batch.images.new_ones(len(batch.images))


class NegativeWeight(Good):
    def total_weight(self, batch):
        return batch.images.new_tensor(-1.0)


class OtherName(Good):
    def measure(self, batch):
        return {"sizes" if name == "size" else name: value for name, value in super().measure(batch).items()}


class Means(Good):
    def measure(self, batch):
        return {name: value.mean() for name, value in super().measure(batch).items()}


class Numbers(Good):
    def measure(self, batch):
        return {name: value.mean().item() for name, value in super().measure(batch).items()}


class Flat(Changed):
    def more(self, batch):
        return torch.nan if batch.images.ndim == 5 else 0.0


class Single(Changed):
    def more(self, batch):
        return (batch.straightened - batch.images).square().mean()


class Detached(Good):
    def losses(self, batch):
        return {name: value.detach() for name, value in super().losses(batch).items()}


class Varies(Changed):
    def more(self, batch):
        return batch.output.flatten(1).var(dim=0).mean()


class Divides(Changed):
    def more(self, batch):
        return batch.straightened.mean() / batch.straightened.amax()


class AllRows(Measured):
    needs = ("transformer", "true_theta")

    def also(self, batch):
        return (batch.theta - batch.true_theta).abs().mean(dim=1)


class Jitters(Changed):
    def more(self, batch):
        return torch.rand(()) if self.training else 0.0


class Counts(Good):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def measure(self, batch):
        self.calls += 1
        return super().measure(batch)


class Numbered(Measured):
    def also(self, batch):
        return torch.arange(len(batch.images), device=batch.images.device)


class Centers(Measured):
    def also(self, batch):
        return -0.1 * batch.output.mean()


class InPlace(Measured):
    def also(self, batch):
        return 0 * batch.output.detach().add_(1).flatten(1).sum(dim=1)


class Bytes(Good):
    def pictures(self, batch):
        return {"straightened": 255 * batch.straightened}


class Flattened(Good):
    def pictures(self, batch):
        return {"straightened": batch.straightened.flatten(1)}


class OneLine(Good):
    def outlines(self, batch):
        return {"diagonal": torch.tensor([[-1.0, -1.0], [1.0, 1.0]])}


class Silent(Measured):
    """It does not say that it needs a transformer."""

    def also(self, batch):
        return batch.theta.square().mean(dim=1)


class Owns(Good):
    def prepare(self, setting):
        self.transformer = setting.transformer


class Narrows(Good):
    def losses(self, batch):
        return {name: value.float() for name, value in super().losses(batch).items()}


class Cancels(Changed):
    def more(self, batch):
        return (10 * ((1000 + batch.output) - 1000)).square().mean()


class HiddenState(Good):
    def __init__(self) -> None:
        super().__init__()
        del self.level
        self.level = torch.zeros(())


class HoldsALambda(Good):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda x: x


class NoCopy(Good):
    def __deepcopy__(self, memo):
        raise TypeError("one of a kind")


BROKEN = {
    "construction": Raises,
    "config": NoConfig,
    "n_outputs": NoNetwork,
    "losses": OneMore,
    "figures": OtherName,
    "dimensions": Flat,
    "pairs": Single,
    "gradients": Detached,
    "batch_of_one": Varies,
    "black_images": Divides,
    "images_of_equivariance": AllRows,
    "determinism": Jitters,
    "evaluation": Counts,
    "permutation": Numbered,
    "batch_independence": Centers,
    "unchanged_batch": InPlace,
    "pictures": Bytes,
    "other_needs": Silent,
    "own_modules": Owns,
    "dtype_and_device": Narrows,
    "autocast": Cancels,
    "state_dict": HiddenState,
    "pickled": HoldsALambda,
    "deep_copied": NoCopy,
}
ALSO_BROKEN = {
    Bare: "losses",
    Listed: "figures",
    NotOne: "losses",
    EachWeight: "losses",
    NegativeWeight: "losses",
    Means: "figures",
    Numbers: "figures",
    Flattened: "pictures",
    OneLine: "pictures",
}
