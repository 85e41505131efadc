"""The picture of a run: test images of every class before and after its transformers."""

from pathlib import Path

import torch

from stnkit.experiments.class_samples import captions, classes_in, of_each_class
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.data.seeds import generator
from stnkit.experiments.loop.components import RunComponents
from stnkit.experiments.loop.run_log import LOG
from stnkit.experiments.loop.stages import observed
from stnkit.experiments.pictures import draw_before_and_after, transformer_inputs

# Columns of the picture: images of each class, more than one where there are few classes.
CLASSES, IMAGES = 20, 10
PICTURE = "transformer.png"


def draw_picture(components: RunComponents, run_dir: Path) -> Path | None:
    """The path of the picture that was drawn, or None for a network without a transformer of images.

    Args:
        components: of a run that is trained and tested.
        run_dir: of the run.
    """
    data, test = components.data, components.data.fixed("test")
    labels = test.labels.cpu() if data.has_labels("test") else torch.zeros(len(test.labels), dtype=torch.long)
    classes = classes_in(labels, CLASSES)
    repeats = max(1, IMAGES // len(classes))
    chosen = torch.stack([of_each_class(labels, classes, k) for k in range(repeats)], dim=1).flatten()
    captioned = captions(classes, data.dataset.class_names) if data.has_labels("test") else []
    names = [name for name in captioned for _ in range(repeats)]
    network, objective = components.network.eval(), components.task.objective.eval()
    device = components.task.device
    rows = test.rows(chosen)
    shown = Distorted(rows.images.to(device), rows.labels.to(device), rows.theta.to(device))
    if not (seen := transformer_inputs(network, shown.images)):
        return None
    batch = observed(network, shown, data.distortion, generator("pictures"))
    try:
        return draw_before_and_after(seen, run_dir / PICTURE, names, objective, batch)
    except Exception as error:  # of a plugin; a run that is tested does not fail by its picture
        LOG.warning(f"{PICTURE} without the pictures of {type(objective).__name__}: {error}")
        return draw_before_and_after(seen, run_dir / PICTURE, names)
