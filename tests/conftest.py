"""Every shape in an annotation is checked while the tests run, also where no assertion looks.

What is heavy is imported by the processes that run tests, not by the one that hands them out.
"""

import copy
import functools
import gc
import logging
import os
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest_plugins = ["tests.quick"]


def pytest_configure(config: pytest.Config) -> None:
    """Prepare a process that runs tests: before anything imports stnkit, or reads the environment."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        return
    # The default is for programs with fewer live objects: it would take 15 s of every worker.
    gc.set_threshold(300_000, 20, 100)
    # libyaml reads the same YAML ten times faster than the loader that OmegaConf derives its own from.
    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    # A compilation of one file needs no pool of processes that import torch.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    # The workers share the cores, and what they start shares them too.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if os.environ.get("STNKIT_SHAPE_CHECKS") != "off":  # `make quick` leaves them to `make test`
        _check_shapes()
    import hypothesis
    from hydra.core.config_store import ConfigStore

    # How long an example takes says nothing about what it computes, and machines differ.
    hypothesis.settings.register_profile("stnkit", deadline=None)
    hypothesis.settings.load_profile("stnkit")
    # Hydra copies the store for each composition, and then copies what it loads from the copy.
    vars(ConfigStore.instance())["__deepcopy__"] = lambda memo: ConfigStore.instance()
    _compose_once()


def _compose_once() -> None:
    """Spare Hydra the compositions whose result is known: a tenth of a second each, hundreds of times."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.hydra import Hydra

    get_mode, load_sweep_config = Hydra.get_mode, ConfigLoaderImpl.load_sweep_config

    def mode(self: Any, config_name: str | None, overrides: list[str]) -> Any:
        """None unless a file or an override sets `hydra.mode`: only our experiments do."""
        telling = any(part in override for override in overrides for part in ("experiment", "hydra.mode", "searchpath"))
        return get_mode(self, config_name, overrides) if telling else None

    def job_config(self: Any, master_config: Any, sweep_overrides: list[str]) -> Any:
        """The config of a job, which the sweeper composes once to look at it and once to run it."""
        composed = vars(self).setdefault("composed", {})
        key = (id(master_config), *sweep_overrides)
        if key not in composed:
            composed[key] = load_sweep_config(self, master_config, sweep_overrides)
        return copy.deepcopy(composed[key])

    Hydra.get_mode, ConfigLoaderImpl.load_sweep_config = mode, job_config


def _check_shapes() -> None:
    import jaxtyping

    # Before the hook, which compiles from source whatever a checked module is the first to import: here 1,700 files.
    import lightning  # noqa: F401

    import tests.typechecker  # the hook looks it up as an attribute of `tests`

    jaxtyping.jaxtyped = tests.typechecker.jaxtyped
    jaxtyping.install_import_hook(["stnkit", "stnkit_plugins"], "tests.typechecker.typechecked")


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests and modules that live until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """One thread for each of the workers, fixed draws, and shape checks unless the marker switches them off."""
    import jaxtyping
    import torch

    from stnkit import renaming
    from stnkit.testing.inputs import seed_generators

    torch.set_num_threads(1)
    seed_generators(0)
    renaming._told.clear()
    jaxtyping.config.update("jaxtyping_disable", request.node.get_closest_marker("no_jaxtyping") is not None)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
    # Hydra's handlers write to the streams of the test, which are closed after it.
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if type(handler) is logging.StreamHandler]:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)


@pytest.fixture
def make_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Installs a distribution as pip would leave it: modules, a dist-info and its entry points on sys.path.

    A module is given by its name, any other file by its path. Returns the folder that is on sys.path.
    """
    from stnkit.plugin_system.registry import plugin_registry

    def make(name: str, modules: dict[str, str], entry_points: dict[str, str]) -> Path:
        plugin_registry.cache_clear()
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
    plugin_registry.cache_clear()
    _forget_modules(tmp_path)


@pytest.fixture
def stnkit_main(tmp_path, monkeypatch, capfd):
    """`stnkit …` in this process and in an empty directory: exit code, standard output, standard error."""
    from hydra.core.global_hydra import GlobalHydra

    from stnkit.cli import train
    from stnkit.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stnkit"])
    GlobalHydra.instance().clear()

    def run(*arguments):
        GlobalHydra.instance().clear()
        train._outcome.exit_code = 0
        code = main([*map(str, arguments)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def process_server(tmp_path_factory):
    """Forks a warm process for each that a test starts, as if it were a new one."""
    from tests.process_server import ProcessServer

    server = ProcessServer(tmp_path_factory.mktemp("outputs"))
    yield server
    server.close()


@pytest.fixture
def stnkit_process(process_server, tmp_path):
    """`stnkit …` as a process of its own, in an empty directory; `code` runs something else, with those arguments."""
    return functools.partial(process_server.start, cwd=tmp_path)


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory):
    """The directory of a completed run of `QUICK`: to be read, or copied with `copy_of_quick_run`."""
    from tests.helpers import QUICK, trained

    return trained(tmp_path_factory.mktemp("quick"), *QUICK)


@pytest.fixture
def copy_of_quick_run(quick_run, tmp_path):
    """The same in the test's own directory, as run/: a test may write there."""
    return Path(shutil.copytree(quick_run, tmp_path / "run"))


@pytest.fixture
def install(tmp_path, monkeypatch):
    """`pip install` of packages that this process and its children then see, and that it forgets in the end.

    With editable=True modules are read from the folder itself, as `pip install -e` has it.
    """
    from stnkit.plugin_system.registry import plugin_registry
    from tests.helpers import pip_install

    sites = []

    def run(*packages, editable=False):
        site = tmp_path / f"site-{len(sites)}"
        sites.append(site)
        pip_install(site, *packages)
        for folder in [site, *(map(Path, packages) if editable else [])]:
            monkeypatch.syspath_prepend(str(folder))
            monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        plugin_registry.cache_clear()
        return site

    yield run
    plugin_registry.cache_clear()
    _forget_modules(tmp_path)


@pytest.fixture(scope="session")
def _timm_modules() -> Iterator[dict[str, Any]]:
    """The modules of timm and torchvision, which `make test` puts into a folder of their own: see the Makefile."""
    import torch

    path, modules = list(sys.path), set(sys.modules)
    # What torchvision's Python half wants of its compiled one, which cannot be loaded beside a torch for the CPU.
    library = torch.library.Library("torchvision", "FRAGMENT")
    sys.path.append(str(Path(sys.prefix) / "timm"))
    try:
        try:
            pytest.importorskip("torchvision", reason="`make test` installs it")
        except RuntimeError as error:
            if "operator torchvision::nms does not exist" not in str(error):
                raise
            for name in ("nms", "qnms"):
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        pytest.importorskip("timm", reason="`make test` installs it")
        names = [name for name in set(sys.modules) - modules if name.split(".")[0] in ("timm", "torchvision")]
        sys.path[:] = path  # or a test without the fixture would find them
        yield {name: sys.modules.pop(name) for name in names}
    finally:
        sys.path[:] = path
        library._destroy()


@pytest.fixture
def timm(_timm_modules, monkeypatch):
    """The package, which no other test can import."""
    for name, module in _timm_modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return _timm_modules["timm"]


def _forget_modules(folder: Path) -> None:
    """Leave no module of a test behind, whose name another test may give to one of its own."""
    for name, module in list(sys.modules.items()):
        spec = vars(module).get("__spec__") if isinstance(module, types.ModuleType) else None
        if spec and any(
            str(place).startswith(str(folder)) for place in (spec.origin, *(spec.submodule_search_locations or ()))
        ):
            del sys.modules[name]
