"""Every shape in an annotation is checked while the tests run, also where no assertion looks."""

import jaxtyping

import tests.typechecker  # noqa: F401 the hook looks it up as an attribute of `tests`

# Before the first import of what it checks.
_hook = jaxtyping.install_import_hook(["stnkit", "stnkit_plugins"], "tests.typechecker.typechecked")

from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

import stnkit  # noqa: E402
from stnkit.registry import registry  # noqa: E402

# How long an example takes says nothing about what it computes, and machines differ.
hypothesis.settings.register_profile("stnkit", deadline=None)
hypothesis.settings.load_profile("stnkit")


@pytest.fixture(autouse=True)
def _settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """One thread for each of the workers, fixed draws, and shape checks unless the marker switches them off."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    jaxtyping.config.update("jaxtyping_disable", request.node.get_closest_marker("no_jaxtyping") is not None)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def make_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Installs a distribution as pip would leave it: modules, a dist-info and its entry points on sys.path.

    A module is given by its name, any other file by its path. Returns the folder that is on sys.path.
    """

    def make(name: str, modules: dict[str, str], entry_points: dict[str, str]) -> Path:
        registry.cache_clear()
        folder = tmp_path / f"site-{name}"
        info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{key} = {value}" for key, value in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[stnkit]", *lines]) + "\n")
        for module, text in modules.items():
            path = folder / (module if "/" in module else f"{module}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield make
    registry.cache_clear()


def transforms_of(ndim: int) -> list[str]:
    """Names of the installed transforms whose default has that many dimensions."""
    return [n for n in registry().names("transform") if stnkit.build("transform", n).ndim == ndim]
