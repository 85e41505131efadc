"""A torchvision that Lightning cannot import is one sentence, not a traceback."""

import pytest

BROKEN = "raise RuntimeError('operator torchvision::nms does not exist')\n"


def test_another_error_passes_unchanged():
    from stnkit.cli.torchvision_build import torchvision_build_explained

    with pytest.raises(RuntimeError, match="something else"), torchvision_build_explained():
        raise RuntimeError("something else")


def test_the_sentence_names_both_versions(make_distribution):
    from stnkit.cli.torchvision_build import torchvision_build_explained
    from stnkit.errors import InputError

    make_distribution("torchvision", {"torchvision": BROKEN}, {})
    with (
        pytest.raises(InputError, match=r"got torch \d.* and torchvision 1\.0: install"),
        torchvision_build_explained(),
    ):
        import torchvision  # noqa: F401
