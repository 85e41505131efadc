"""Shared helpers of the tests. Fixtures are in `conftest.py`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import stnkit
from stnkit import coordinates

ROOT = Path(__file__).parent.parent
# The console script, as `python -c` takes it.
CLI = "from stnkit.cli.main import entry; entry()"

# Seconds, not minutes: the smallest network on 1,197 images.
QUICK = [
    "network=paper_fcn",
    "network.hidden=[16]",
    "localizer=fully_connected",
    "training.batch_size=256",
    "training.progress=false",
    "training.epochs=2",
]

# Of a run of seconds on a folder of images.
FOLDER_OPTIONS = [
    "training.epochs=1",
    "training.schedule=step",
    "training.progress=false",
    "network=resnet",
    "localizer=fully_connected",
]

# A module with an objective that has a parameter and a buffer of its own: it is best at its first epoch.
AGING = '''
import stnkit
import numpy as np
import torch
import torch.nn.functional as F
from stnkit.objectives import Figure


class Aging(stnkit.Objective):
    """Cross-entropy of logits on a learned scale, judged by the number of training steps so far."""

    figures = {"age": Figure()}
    needs = ("labels",)

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.register_buffer("age", torch.zeros(()))

    def n_outputs(self, dataset):
        return dataset.n_classes

    def losses(self, batch):
        if self.training:
            self.age += 1
        return {"loss": F.cross_entropy(self.scale * batch.output, batch.targets)}

    def measure(self, batch):
        return {"age": self.age.expand(len(batch.targets))}


@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("aging", Aging)
'''

# The config in the record of a run, as the tests of the report write it.
RECORDED_CONFIG = {
    "network": {"name": "paper_cnn", "channels": None},
    "placement": {"at": ["input"]},
    "transform": {"name": "affine", "ndim": 2},
    "localizer": {"name": "convolutional", "features": 20},
    "sampler": {"name": "bilinear", "padding": "zeros"},
    "dataset": {"name": "mnist", "root": "data/mnist"},
    "distortion": {"name": "rotation", "degrees": 90.0},
    "training": {"epochs": 2, "learning_rate": 0.003, "progress": False},
    "out_size": None,
    "seed": 0,
    "resume": None,
}
# The whole mapping of a component, for the components that tests of the report vary.
RECORDED_COMPONENTS = {
    "tps": {"name": "tps", "control_points": None, "smoothing": 0.0},
    "rts": {"name": "rts", "degrees": 45.0, "scale": [0.7, 1.2], "canvas": [42, 42]},
}
# What `build_network` takes.
COMPONENTS = {
    "transform": {"name": "affine"},
    "localizer": {"name": "fully_connected"},
    "sampler": {"name": "bilinear"},
    "network": {"name": "paper_fcn"},
    "out_size": None,
}
# The labels of the images of `noise_images`.
ARRAY_LABELS = np.arange(200) % 3
# The components of a transformer that is inserted.
AFFINE = {"transform": "affine", "localizer": "fully_connected", "sampler": "bilinear"}


def with_few_steps(name):
    """The transform with at most two steps, of those whose program is one step several times.

    Two are a loop as well as eight, and take a quarter of the time to compile, to export and to differentiate.
    """
    return {"name": name, "steps": 2} if name == "velocity" else name


def use_few_digits(monkeypatch):
    """A quarter of the embedded digits, for commands that have to run and not to learn: two batches of 256."""
    from stnkit_plugins.datasets import digits

    few = {name: slice(rows.start, rows.start + (rows.stop - rows.start) // 4) for name, rows in digits._SPLITS.items()}
    monkeypatch.setattr(digits, "_SPLITS", few)


def trained(folder, *overrides):
    """The directory `folder`/run of a run that is trained now, in this process."""
    from hydra.core.global_hydra import GlobalHydra

    from stnkit.cli.main import main

    GlobalHydra.instance().clear()
    assert main(["train", *overrides, f"hydra.run.dir={folder / 'run'}"]) == 0
    return folder / "run"


def metrics(run_dir):
    """The content of a run's metrics.json."""
    return json.loads((Path(run_dir) / "metrics.json").read_text())


def hook_module(hook, expression, before=""):
    """The source of a module that implements a hook, given with its arguments, by returning an expression."""
    return f"import stnkit, lightning\n{before}\n@stnkit.hookimpl\ndef {hook}:\n    return {expression}\n"


def write_tree(root, classes, n=12):
    """Folders of 24×20 pixels for each split and class: n images to train on, two each to validate and test."""
    for split, of_split in (("train", n), ("validation", 2), ("test", 2)):
        for number, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for index in range(of_split):
                Image.new("RGB", (24, 20), (90 * number, 9 * index, 0)).save(root / split / name / f"{index}.png")


def pip_install(target, *packages):
    """Install packages into `target` from copies, since a build leaves its folders beside the sources."""
    copies = []
    for package in map(Path, packages):
        copies.append(target.parent / f"{target.name}-sources" / package.name)
        shutil.copytree(package, copies[-1], ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", target, *copies]
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def random_theta(family, batch=3, scale=0.1, dtype=torch.float64, seed=0):
    """θ of normal draws, the same for every dtype."""
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(batch, family.n_params, generator=generator, dtype=torch.float64).to(dtype)


def random_points(family, batch=3, n=50, reach=1.0, dtype=torch.float64, seed=1):
    """Points of uniform draws, up to `reach` half images from the center."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(batch, n, family.ndim, generator=generator, dtype=torch.float64)
    return (reach * (2 * uniform - 1)).to(dtype)


def lattice_points(size, dtype=torch.float64):
    """The pixel centers of an output, as points (1, N, ndim)."""
    return coordinates.lattice(size, dtype=dtype).view(1, -1, len(size))


def noise_images(*shape, n=200):
    """Images of noise in uint8, of which no two are alike."""
    return np.random.default_rng(len(shape)).integers(0, 256, (n, *shape)).astype("uint8")


def small_images():
    """Two gray images of 12×12 pixels."""
    return torch.rand(2, 1, 12, 12)


def with_moved_input(network, point, example=None):
    """The network with a transformer at that point that is not the identity."""
    stnkit.insert_transformers(network, {point: AFFINE}, small_images() if example is None else example)
    with torch.no_grad():
        transformer_of(network).head.offset += torch.tensor([-0.3, 0.2, 0.1, -0.2, -0.4, 0.2])
    return network


def transformer_of(network):
    """The only spatial transformer of a network."""
    (found,) = [module for module in network.modules() if isinstance(module, stnkit.SpatialTransformer)]
    return found
