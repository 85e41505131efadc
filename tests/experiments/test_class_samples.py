import matplotlib.image
import numpy as np
import torch

import stnkit
from stnkit.experiments.class_samples import captions, classes_in, of_each_class
from stnkit.experiments.data.fixed import FixedLoader
from stnkit.experiments.pictures import draw_before_and_after
from stnkit.experiments.report import gallery
from stnkit.experiments.report.gallery import images_to_show

LABELS = torch.tensor([4, 2, 2, 0, 4, 2])


def test_classes_are_those_that_occur_up_to_a_limit():
    assert classes_in(LABELS, 20) == (0, 2, 4)
    assert classes_in(LABELS, 2) == (0, 2)


def test_each_class_has_its_kth_image_or_its_last():
    chosen = [of_each_class(LABELS, (0, 2, 4), k).tolist() for k in range(3)]
    assert chosen == [[3, 1, 0], [3, 2, 4], [3, 5, 4]]


def test_captions_are_names_or_labels():
    assert captions((0, 2), None) == ("0", "2")
    assert captions((2, 0), ("a", "b", "c")) == ("c", "a")
    assert captions((0,), ("a name that is too long",)) == ("a name that i…",)


def test_images_of_a_sorted_split_show_every_class(monkeypatch):
    monkeypatch.setattr(gallery, "MEAN_IMAGES", 10)
    labels = torch.arange(5).repeat_interleave(40)
    distortion = stnkit.build("distortion", "none", image_shape=(1, 4, 4))
    images = torch.zeros(200, 1, 4, 4, dtype=torch.uint8)
    test = FixedLoader(images, labels, distortion, 8, "test", torch.device("cpu"))
    shown = images_to_show(test, (0, 1, 3))
    assert set(labels[shown].tolist()) == {0, 1, 3}
    assert {0, 1, 40, 41, 120, 121} <= set(shown.tolist())
    assert len(shown) <= 16
    assert images_to_show(test, (2,)).tolist()[:2] == [80, 81]


def test_names_stand_above_the_columns(tmp_path):
    transformer = stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(1, 16, 16)),
        stnkit.build("transform", "affine"),
        stnkit.build("sampler", "bilinear"),
    )
    seen = {"input": (transformer, torch.rand(3, 1, 16, 16))}
    plain, named = (
        matplotlib.image.imread(draw_before_and_after(seen, tmp_path / "picture.png", names))
        for names in ((), ("ape", "bear", "cat"))
    )
    assert (np.asarray(named)[:40, :, :3].min(axis=2) < 0.5).any()
    assert plain.shape[1] == named.shape[1]
