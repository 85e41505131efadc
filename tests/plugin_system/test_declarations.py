"""Options of components that control a run, as their classes declare them."""

import pytest

import stnkit
from stnkit.plugin_system import check_declarations, plugin_registry, run_control_options
from stnkit.plugin_system.registry import PluginWarning


class Stored(stnkit.Dataset):
    n_classes, image_shape = 2, (1, 8, 8)
    run_control_options = ("root", "cache")

    def __init__(self, root: str = "data", cache: bool = True, n: int = 10) -> None: ...

    def split(self, name): ...


class Elsewhere(Stored):
    """Declares nothing, and takes no `cache`."""

    def __init__(self, root: str = "elsewhere") -> None: ...


def test_declared_options_are_those_of_the_constructor():
    assert run_control_options(stnkit.Component("stored", Stored)) == ("root", "cache")
    assert run_control_options(stnkit.Component("elsewhere", Elsewhere)) == ("root",)
    assert run_control_options(plugin_registry().component("dataset", "mnist")) == ("root", "download")
    assert run_control_options(plugin_registry().component("dataset", "digits")) == ()


def test_a_subclass_that_takes_fewer_options_is_no_mistake():
    check_declarations(stnkit.Component("elsewhere", Elsewhere))


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (
            ("rot",),
            "dataset 'x': X.run_control_options: expected options of the constructor, root, cache, n, got 'rot'",
        ),
        ("root", "dataset 'x': X.run_control_options: expected a tuple of the names of options, got 'root'"),
        ((1,), "dataset 'x': X.run_control_options: expected a tuple of the names of options, got (1,)"),
    ],
)
def test_a_declaration_of_no_option_is_refused(declared, sentence):
    cls = type("X", (Stored,), {"run_control_options": declared})
    with pytest.raises(stnkit.errors.InputError) as error:
        check_declarations(stnkit.Component("x", cls))
    assert str(error.value) == sentence


def test_a_plugin_that_declares_no_option_is_broken(make_distribution):
    text = (
        "import stnkit\n"
        "class Bars(stnkit.Dataset):\n"
        "    n_classes, image_shape, run_control_options = 2, (1, 8, 8), ('folder',)\n"
        "    def __init__(self, root: str = 'data'): pass\n"
        "    def split(self, name): pass\n"
        "@stnkit.hookimpl\n"
        "def stnkit_components(): return [stnkit.Component('bars', Bars)]\n"
    )
    make_distribution("declares", {"declares_bars": text}, {"dataset.bars": "declares_bars"})
    reason = "Bars.run_control_options: expected options of the constructor, root, got 'folder'"
    with pytest.warns(PluginWarning, match=reason):
        (broken,) = plugin_registry().broken
    assert reason in broken.reason
