import pytest
from hydra.core.global_hydra import GlobalHydra

from stnkit.cli.main import main
from tests.helpers import QUICK


@pytest.fixture(scope="session")
def sweep(tmp_path_factory):
    """A real sweep on the embedded digits: with and without a transformer, and one job that fails."""
    folder = tmp_path_factory.mktemp("experiments") / "sweep"
    GlobalHydra.instance().clear()
    main(["train", "-m", *QUICK, "distortion=rotation", "placement=none,input", f"hydra.sweep.dir={folder}/ok"])
    GlobalHydra.instance().clear()
    main(["train", "-m", *QUICK, "distortion=rotation", "training.epochs=0", f"hydra.sweep.dir={folder}/bad"])
    return folder
