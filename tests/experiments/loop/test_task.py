import copy
import pickle
import random
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.loop.task import ObjectiveTask, parameter_groups
from stnkit.experiments.loop.theta_recorder import ThetaRecorder
from stnkit.experiments.placement import TransformedNetwork, build_network
from stnkit.experiments.schema import Optimizer, Schedule, TrainingConfig
from stnkit.objectives import Figure
from tests.helpers import COMPONENTS

CLASSIFICATION = stnkit.build("objective", "classification", n_classes=10)


def placed(at=("input",), **components):
    return build_network(COMPONENTS | components, list(at), (1, 12, 12), 10)


def batch(n=4):
    return Distorted(torch.rand(n, 1, 12, 12), torch.randint(0, 10, (n,)), torch.zeros(n, 6))


def test_a_new_transformer_does_not_change_the_output():
    model = placed()
    image = torch.rand(3, 1, 12, 12)
    torch.testing.assert_close(model(image), model.network(image), atol=1e-4, rtol=1e-4)


def test_without_insertion_points_there_is_no_transformer():
    model = placed(at=())
    assert model.transformer is None
    assert isinstance(model, TransformedNetwork)
    assert not ThetaRecorder(model)


def test_the_network_is_built_for_the_transformers_output():
    assert placed(out_size=[6, 7])(torch.rand(2, 1, 12, 12)).shape == (2, 10)


@pytest.mark.no_jaxtyping
def test_components_that_do_not_fit_are_refused():
    with pytest.raises(
        stnkit.errors.InputError,
        match=r"no insertion point 'conv2' in the network; the insertion points are: input, ",
    ):
        placed(at=("conv2",))
    with pytest.raises(stnkit.errors.InputError, match="'affine' warps 3 dimensions, but the images have 2"):
        placed(transform={"name": "affine", "ndim": 3})


def test_transformers_have_a_learning_rate_of_their_own():
    model = placed()
    groups = parameter_groups(model, TrainingConfig(learning_rate=0.5, localizer_scale=0.1, weight_decay=0.3))
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.5, 0.3), (0.05, 0.3), (0.05, 0.0)]
    assert [id(p) for p in groups[2]["params"]] == [id(model.transformer.head.offset)]
    parameters = [id(p) for group in groups for p in group["params"]]
    assert sorted(parameters) == sorted(id(p) for p in model.parameters())
    slow = {id(p) for group in groups[1:] for p in group["params"]}
    assert slow == {id(p) for p in model.transformer.parameters()}


def test_without_gradients_theta_stays_where_it_is():
    model = placed()
    config = TrainingConfig(schedule=Schedule.constant, weight_decay=0.5, learning_rate=0.1)
    optimizer = ObjectiveTask(CLASSIFICATION, model, config, 0).configure_optimizers()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for _ in range(20):
        optimizer.step()
    assert not model.transformer.head.offset.any()


class ReadsAgain(stnkit.Objective):
    """The mean of the output, by an objective that runs the network on black images too."""

    figures = {"brightness": Figure()}  # noqa: RUF012

    def __init__(self, again):
        super().__init__()
        self.again = again

    def losses(self, batch):
        self._run(batch)
        return {"loss": batch.output.mean()}

    def measure(self, batch):
        self._run(batch)
        return {"brightness": batch.output.mean(dim=1)}

    def _run(self, batch):
        if self.again:
            batch.network(torch.zeros_like(batch.images))


def test_figures_of_theta_are_those_of_the_images_alone():
    components = COMPONENTS | {"network": {"name": "paper_cnn", "channels": [4, 6]}}
    network = build_network(components, ["layers.conv2"], (1, 28, 28), 10)
    data = Distorted(torch.rand(4, 1, 28, 28), torch.randint(0, 10, (4,)), torch.zeros(4, 6))
    (transformer,) = network.transformers().values()
    torch.nn.init.normal_(transformer.head.weight)
    once, again = (ObjectiveTask(ReadsAgain(again), network, TrainingConfig(), 0).eval() for again in (False, True))
    for task in (once, again):
        task.validation_step(data, 0)
        task.training_step(data, 0)
    assert again.eval_sums.compute() == once.eval_sums.compute()
    assert again.train_sums.compute() == once.train_sums.compute()
    assert once.eval_sums.compute()["outside"] > 0
    network(torch.zeros_like(data.images))
    assert float(once.theta_recorder.distance()) != pytest.approx(once.train_sums.compute()["theta_distance"])


def test_a_recorded_network_can_be_pickled_and_copied():
    model = placed()
    recorder = ThetaRecorder(model)
    model(torch.rand(3, 1, 12, 12))
    copied = copy.deepcopy(model)
    pickle.loads(pickle.dumps(model))(torch.rand(2, 1, 12, 12))
    copied(torch.rand(5, 1, 12, 12))
    assert recorder.thetas[0].shape == (3, 6)


def test_the_step_schedule_divides_by_ten_every_50_000_steps():
    task = ObjectiveTask(
        CLASSIFICATION,
        placed(),
        TrainingConfig(learning_rate=0.01, schedule=Schedule.step, optimizer=Optimizer.sgd, step_every=50_000),
        0,
    )
    schedule = task.configure_optimizers()["lr_scheduler"]["scheduler"]
    assert (schedule.step_size, schedule.gamma) == (50_000, 0.1)


def test_channels_last_changes_the_format_and_no_result():
    components = {"localizer": {"name": "convolutional"}, "network": {"name": "compact_cnn"}}
    model = build_network(COMPONENTS | components, ["input"], (3, 20, 20), 10).eval()
    images = torch.rand(4, 3, 20, 20)
    expected = model(images)
    names = list(model.state_dict())
    task = ObjectiveTask(CLASSIFICATION, model, TrainingConfig(channels_last=True), 0)
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 6
    assert all(c.weight.is_contiguous(memory_format=torch.channels_last) for c in convolutions)
    seen = []
    model.network.layers[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    torch.testing.assert_close(task(images), expected, atol=1e-5, rtol=1e-5)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert list(model.state_dict()) == names
    # A checkpoint of either format is one of the other.
    model.load_state_dict({name: value.clone().contiguous() for name, value in model.state_dict().items()})
    assert convolutions[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels_last", [False, True])
def test_coordinates_stay_float32_under_bfloat16(channels_last):
    components = {"localizer": {"name": "convolutional", "batch_norm": True}, "network": {"name": "compact_cnn"}}
    model = build_network(COMPONENTS | components, ["input"], (1, 28, 28), 10)
    task = ObjectiveTask(CLASSIFICATION, model, TrainingConfig(channels_last=channels_last), 0)
    with torch.no_grad():
        model.transformer.head.weight.normal_(std=0.1)
    seen = {}
    for name in ("transformer.localizer", "transformer.head", "network.layers.0", "network"):
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: seen.update({name: (inputs[0].dtype, output.dtype)})
        )
    with torch.autocast("cpu", torch.bfloat16):
        task(torch.rand(4, 1, 28, 28)).sum().backward()
    single, half = torch.float32, torch.bfloat16
    assert seen["transformer.localizer"][1] == half
    assert seen["transformer.head"] == (half, single)
    assert seen["network.layers.0"] == (single, half)
    assert seen["network"][1] == half
    assert all(p.grad.dtype == single and bool(p.grad.isfinite().all()) for p in model.parameters())


@pytest.mark.parametrize("poison", ["loss", "theta"])
def test_a_loss_or_theta_that_is_not_finite_stops_the_step(poison):
    model = placed()
    task = ObjectiveTask(CLASSIFICATION, model, TrainingConfig(), 0)
    with torch.no_grad():
        (model.network.layers[-1].bias if poison == "loss" else model.transformer.head.offset).fill_(torch.nan)
    with pytest.raises(stnkit.errors.NotFiniteError, match=f"the {poison} is not finite in step 0"):
        task.training_step(batch(), 0)


def test_the_recorder_measures_distance_and_share_outside():
    model = placed()
    recorder = ThetaRecorder(model)
    model(torch.rand(2, 1, 12, 12))
    assert float(recorder.distance()) == 0
    assert float(recorder.outside_share()) == 0
    with torch.no_grad():
        # Half the output looks to the right of the image.
        model.transformer.head.offset[2] += 1
    model(torch.rand(2, 1, 12, 12))
    assert float(recorder.distance()) == pytest.approx(1)
    assert float(recorder.outside_share()) == pytest.approx(0.5)


def test_every_global_generator_is_seeded_by_the_step(monkeypatch):
    task = ObjectiveTask(CLASSIFICATION, placed(), TrainingConfig(), 0)

    def drawn(step):
        monkeypatch.setattr(ObjectiveTask, "global_step", step)
        task.on_train_batch_start(batch(), 0)
        of_numpy = np.random.random_sample()  # noqa: NPY002 the global one is the point
        return random.random(), of_numpy, torch.rand(()).item()

    assert drawn(0) == drawn(0)
    assert not set(drawn(0)) & set(drawn(1))


def test_a_process_without_an_image_adds_nothing():
    task = ObjectiveTask(CLASSIFICATION, placed(), TrainingConfig(), seed=0)
    task.validation_step(batch(0), 0)
    assert not any(task.eval_sums.state().values())
    task.validation_step(batch(2), 1)
    assert task.eval_sums.compute()["loss"] > 0


WEIGHTS = [1.0, 2.0, 0.0, 4.0, *[1.0] * 6]


def weighted_task(precision=torch.float64):
    objective = stnkit.build("objective", "classification", n_classes=10, class_weights=WEIGHTS, label_smoothing=0.1)
    return ObjectiveTask(objective, placed().to(precision), TrainingConfig(), seed=0)


def sorted_by_class(n=12):
    """A batch of which each half has classes of other weights."""
    drawn = batch(n)
    return drawn._replace(images=drawn.images.double(), labels=torch.arange(4).repeat_interleave(n // 4))


def shards(whole):
    parts = (slice(0, 5), slice(5, None))
    return [whole._replace(images=whole.images[part], labels=whole.labels[part]) for part in parts]


def test_a_weighted_loss_does_not_depend_on_the_batches():
    task, whole = weighted_task(), sorted_by_class()
    for index, shard in enumerate(shards(whole)):
        task.validation_step(shard, index)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)[whole.labels]
    with torch.no_grad():
        losses = F.cross_entropy(task(whole.images), whole.labels, reduction="none", label_smoothing=0.1)
    assert task.eval_sums.compute()["loss"] == pytest.approx(float((weights * losses).sum() / weights.sum()))


def test_processes_have_the_gradient_of_the_weighted_loss(monkeypatch):
    task, whole = weighted_task(), sorted_by_class()
    parameters = [*task.network.parameters()]
    alone = types.SimpleNamespace(world_size=1)
    monkeypatch.setattr(ObjectiveTask, "trainer", alone)
    expected = torch.autograd.grad(task.training_step(whole, 0), parameters)
    total = torch.tensor(WEIGHTS, dtype=torch.float64)[whole.labels].sum()
    strategy = types.SimpleNamespace(reduce=lambda value, reduce_op: total)
    monkeypatch.setattr(ObjectiveTask, "trainer", types.SimpleNamespace(world_size=2, strategy=strategy))
    found = [torch.autograd.grad(task.training_step(shard, 0), parameters) for shard in shards(whole)]
    for one, *both in zip(expected, *found, strict=True):
        torch.testing.assert_close(torch.stack(both).mean(dim=0), one)


def test_processes_without_any_weight_have_no_gradient(monkeypatch):
    task, whole = weighted_task(), sorted_by_class()
    strategy = types.SimpleNamespace(reduce=lambda value, reduce_op: value)
    monkeypatch.setattr(ObjectiveTask, "trainer", types.SimpleNamespace(world_size=2, strategy=strategy))
    loss = task.training_step(whole._replace(labels=torch.full_like(whole.labels, 2)), 0)
    assert loss.item() == 0
    assert not any(gradient.any() for gradient in torch.autograd.grad(loss, [*task.network.parameters()]))
