import shlex

import pytest
from hydra import compose, initialize

from stnkit.cli.plugins.show import described, example
from stnkit.plugin_system.hydra_configs import register_component_groups
from stnkit.plugin_system.options import options_of
from stnkit.plugin_system.registry import plugin_registry

COMPONENT = """
import enum, stnkit

class Mode(enum.Enum):
    fast = "fast"
    exact = "exact"

class Half(stnkit.PaddedSampler):
    \"\"\"V(p) = U(p) / 2.

    What is left is not half as much.

    Args:
        power: of two,
            on two lines: the second has a colon.
        mode (Mode): how.

    Source: a book.
    \"\"\"
    def __init__(
        self, power: int, mode: Mode | str = Mode.fast, padding: str = "zeros", sizes: list[int] | None = None
    ):
        super().__init__(padding)

    def sample(self, image, grid):
        return image

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("half", Half)
"""


def test_it_tells_docstring_options_example_and_origin(stnkit_main, make_distribution, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    make_distribution("halves", {"shown_half": COMPONENT}, {"sampler.half": "shown_half"})
    code, out, _ = stnkit_main("plugins", "show", "sampler", "half")
    assert code == 0
    assert out == (
        "sampler half  from halves 1.0 (shown_half)\n"
        "\n"
        "V(p) = U(p) / 2.\n"
        "\n"
        "What is left is not half as much.\n"
        "\n"
        "Source: a book.\n"
        "\n"
        "options\n"
        "  power: int  (required)\n"
        "      of two, on two lines: the second has a colon.\n"
        "  mode: fast | exact = fast\n"
        "      how.\n"
        "  padding: str = zeros\n"
        "      value outside of the image: zeros, border, reflection about the image's edge, circular (the\n"
        "      image repeats), or fill (a constant).\n"
        "  sizes: list[int] | null = null\n"
        "\n"
        "example\n"
        "  stnkit train sampler=half sampler.power=VALUE\n"
    )


@pytest.mark.parametrize("entry", plugin_registry().registered, ids=lambda e: f"{e.kind}-{e.name}")
def test_every_option_of_ours_has_help(entry):
    text = described(entry)
    for option in options_of(entry.component):
        (place,) = [i for i, line in enumerate(text.splitlines()) if line.startswith(f"  {option.name}: ")]
        assert text.splitlines()[place + 1].startswith("      "), option.name
    assert entry.component.summary[:40] in text


@pytest.mark.slow
def test_every_example_composes():
    register_component_groups()
    with initialize(config_path=None, version_base="1.3"):
        for entry in plugin_registry().registered:
            program, command, group, *options = shlex.split(example(entry))
            assert (program, command) == ("stnkit", "train")
            assert compose(overrides=[f"+{group}", *options])[entry.kind].name.value == entry.name


@pytest.mark.filterwarnings("ignore::stnkit.plugin_system.registry.PluginWarning")
def test_a_broken_plugin_tells_its_reason(stnkit_main, make_distribution):
    make_distribution("breaks", {}, {"transform.bad": "no_such_module_at_all"})
    code, out, _ = stnkit_main("plugins", "show", "transform", "bad")
    assert code == 1
    assert out.startswith("transform bad  from breaks 1.0 (no_such_module_at_all)\n")
    assert "It cannot be used: ModuleNotFoundError: No module named 'no_such_module_at_all'" in out


@pytest.mark.filterwarnings("ignore::stnkit.plugin_system.registry.PluginWarning")
def test_a_clash_tells_both_origins_and_how_to_block_one(stnkit_main, make_distribution):
    for name in ("first", "second"):
        make_distribution(name, {f"{name}_half": COMPONENT}, {"sampler.half": f"{name}_half"})
    code, out, _ = stnkit_main("plugins", "show", "sampler", "half")
    assert code == 1
    for name in ("first", "second"):
        assert f"sampler half  from {name} 1.0 ({name}_half)" in out
        assert f"STNKIT_DISABLE_PLUGINS={name}:sampler.half" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["transform", "afine"], "there is no transform 'afine'; the transforms are: affine"),
        (["trnsform", "affine"], "there is no kind 'trnsform'; the kinds are transform"),
        (["affine"], "the following arguments are required: NAME"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, stnkit_main):
    code, out, err = stnkit_main("plugins", "show", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_the_help_of_train_says_where_options_are_explained(stnkit_main):
    code, out, _ = stnkit_main("train", "--help")
    assert code == 0
    assert "`stnkit plugins show KIND NAME`" in out
