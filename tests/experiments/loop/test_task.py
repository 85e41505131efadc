import copy
import pickle

import pytest
import torch

import stnkit
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.loop.task import Classification, parameter_groups
from stnkit.experiments.loop.theta_recorder import ThetaWatch
from stnkit.experiments.placement import TransformedNetwork, place
from stnkit.experiments.schema import Optimizer, Schedule, TrainingConfig

PARTS = {
    "transform": {"name": "affine"},
    "localizer": {"name": "fully_connected"},
    "sampler": {"name": "bilinear"},
    "network": {"name": "paper_fcn"},
    "out_size": None,
}


def placed(at=("input",), **parts):
    return place(PARTS | parts, list(at), (1, 12, 12), 10)


def batch(n=4):
    return Distorted(torch.rand(n, 1, 12, 12), torch.randint(0, 10, (n,)), torch.zeros(n, 6))


def test_a_placed_transformer_leaves_the_networks_output_unchanged_at_construction():
    model = placed()
    image = torch.rand(3, 1, 12, 12)
    torch.testing.assert_close(model(image), model.network(image), atol=1e-4, rtol=1e-4)


def test_without_placement_there_is_no_transformer():
    model = placed(at=())
    assert model.transformer is None
    assert isinstance(model, TransformedNetwork)
    assert not ThetaWatch(model)


def test_the_network_is_built_for_the_transformers_output():
    assert placed(out_size=[6, 7])(torch.rand(2, 1, 12, 12)).shape == (2, 10)


@pytest.mark.no_jaxtyping
def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(
        stnkit.errors.InputError, match=r"there is no place 'conv2' in the network; the places are: input, "
    ):
        placed(at=("conv2",))
    with pytest.raises(stnkit.errors.InputError, match="'affine' warps 3 dimensions, but the images have 2"):
        placed(transform={"name": "affine", "ndim": 3})


def test_the_localizers_learning_rate_is_scaled_and_a_heads_bias_does_not_decay():
    model = placed()
    groups = parameter_groups(model, TrainingConfig(learning_rate=0.5, localizer_scale=0.1, weight_decay=0.3))
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.5, 0.3), (0.05, 0.3), (0.05, 0.0)]
    assert [id(p) for p in groups[2]["params"]] == [id(model.transformer.head.bias)]
    parameters = [id(p) for group in groups for p in group["params"]]
    assert sorted(parameters) == sorted(id(p) for p in model.parameters())
    slow = {id(p) for group in groups[1:] for p in group["params"]}
    assert slow == {id(p) for p in model.transformer.parameters()}


def test_without_gradients_theta_stays_where_it_is():
    model = placed()
    config = TrainingConfig(schedule=Schedule.constant, weight_decay=0.5, learning_rate=0.1)
    optimizer = Classification(model, config, 0).configure_optimizers()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for _ in range(20):
        optimizer.step()
    torch.testing.assert_close(model.transformer.head.bias.detach(), model.transformer.family.identity().float())


def test_a_watched_network_can_be_pickled_and_a_copy_of_it_is_watched_by_a_copy():
    model = placed()
    watch = ThetaWatch(model)
    model(torch.rand(3, 1, 12, 12))
    copied = copy.deepcopy(model)
    pickle.loads(pickle.dumps(model))(torch.rand(2, 1, 12, 12))
    copied(torch.rand(5, 1, 12, 12))
    assert watch.thetas[0].shape == (3, 6)


def test_the_papers_schedule_divides_by_ten_every_fifty_thousand_steps():
    task = Classification(
        placed(),
        TrainingConfig(learning_rate=0.01, schedule=Schedule.step, optimizer=Optimizer.sgd, step_every=50_000),
        0,
    )
    schedule = task.configure_optimizers()["lr_scheduler"]["scheduler"]
    assert (schedule.step_size, schedule.gamma) == (50_000, 0.1)


def test_channels_last_changes_the_format_of_convolutions_and_no_result():
    parts = {"localizer": {"name": "convolutional"}, "network": {"name": "compact_cnn"}}
    model = place(PARTS | parts, ["input"], (3, 20, 20), 10).eval()
    images = torch.rand(4, 3, 20, 20)
    expected = model(images)
    names = list(model.state_dict())
    task = Classification(model, TrainingConfig(channels_last=True), 0)
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
def test_coordinates_stay_wide_where_the_rest_is_bfloat16(channels_last):
    parts = {"localizer": {"name": "convolutional", "batch_norm": True}, "network": {"name": "compact_cnn"}}
    model = place(PARTS | parts, ["input"], (1, 28, 28), 10)
    task = Classification(model, TrainingConfig(channels_last=channels_last), 0)
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
def test_what_is_not_finite_stops_the_step_and_names_it(poison):
    model = placed()
    task = Classification(model, TrainingConfig(), 0)
    with torch.no_grad():
        (model.network.layers[-1].bias if poison == "loss" else model.transformer.head.bias).fill_(torch.nan)
    with pytest.raises(stnkit.errors.NotFiniteError, match=f"the {poison} is not finite in step 0"):
        task.training_step(batch(), 0)


def test_the_watch_tells_how_far_theta_is_and_how_much_lies_outside():
    model = placed()
    watch = ThetaWatch(model)
    model(torch.rand(2, 1, 12, 12))
    assert float(watch.distance()) == 0
    assert float(watch.outside_share()) == 0
    with torch.no_grad():
        # Half the output looks to the right of the image.
        model.transformer.head.bias[2] += 1
    model(torch.rand(2, 1, 12, 12))
    assert float(watch.distance()) == pytest.approx(1)
    assert float(watch.outside_share()) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("option", "value"), [("epochs", 0), ("checkpoint_every", 0), ("learning_rate", -1.0), ("devices", 0)]
)
@pytest.mark.no_jaxtyping
def test_numbers_out_of_range_are_refused_by_name(option, value):
    with pytest.raises(stnkit.errors.InputError, match=f"training.{option} must be .*{value}"):
        Classification(placed(), TrainingConfig(**{option: value}), 0)
