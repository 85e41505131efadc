import itertools
import re

import pytest
from omegaconf import OmegaConf

from stnkit.cli.options import application_entries, composed, sections
from stnkit.cli.plugins.show import described
from stnkit.plugin_system.docstrings import description
from stnkit.plugin_system.options import options_of
from stnkit.plugin_system.registry import plugin_registry

COMPONENT = """
import enum, stnkit

class Mode(enum.Enum):
    fast = "fast"
    exact = "exact"

class Half(stnkit.samplers.PaddedSampler):
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
        "      value of the pixels beyond the image's edge: zeros, border (that of the edge pixel),\n"
        "      reflection about the edge, mirror about the center of the edge pixel, circular (the image\n"
        "      repeats), or fill (a constant).\n"
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
        lines = itertools.takewhile(lambda line: line.startswith("      "), text.splitlines()[place + 1 :])
        assert (told := " ".join(line.strip() for line in lines)), option.name
        assert option.default is not None or re.search(r"(?i)\bnull\b|default", told), (option.name, told)
        # As YAML has it; and what the option is, not of what.
        assert not re.search(r"\bNone\b|^(of|in|for|by) ", told), (option.name, told)
    assert entry.component.summary[:40] in text


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


@pytest.mark.filterwarnings("ignore::stnkit.plugin_system.registry.PluginWarning")
def test_a_clash_in_a_distribution_is_resolved_by_what_is_told(stnkit_main, make_distribution, monkeypatch):
    points = {"sampler.half": "one_half", "sampler.other": "other_half"}
    make_distribution("mine", {"one_half": COMPONENT, "other_half": COMPONENT}, points)
    out = stnkit_main("plugins", "show", "sampler", "half")[1]
    told = re.findall(r"STNKIT_DISABLE_PLUGINS=(\S+)", out)
    assert told == ["mine:sampler.half", "mine:sampler.other"]
    monkeypatch.setenv("STNKIT_DISABLE_PLUGINS", told[1])
    plugin_registry.cache_clear()
    assert stnkit_main("plugins", "show", "sampler", "half")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["transform", "afine"], "there is no transform 'afine'; the transforms are: affine"),
        (["trnsform", "affine"], "there is no kind 'trnsform'; the kinds are transform"),
        (["afine"], "there is no component or option 'afine'; did you mean affine?\n"),
        (["patience"], "there is no component or option 'patience'; did you mean training.patience?\n"),
        (["trainig"], "there is no component or option 'trainig'; did you mean training?\n"),
        (["xyzzy"], "there is no component or option 'xyzzy'; `stnkit plugins list` shows the components, and"),
        (["rotation"], "'rotation' is a transform and a distortion: name the kind too, as in `transform rotation`"),
        (["tps", "affine"], "expected [KIND] NAME, got tps affine"),
        (["training.epoch"], "there is no option 'training.epoch'; did you mean training.epochs?\n"),
        (["training.xyzzy"], "there is no option 'training.xyzzy'; those of training are epochs, batch_size"),
        ([], "the following arguments are required: [KIND] NAME | OPTION"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, stnkit_main):
    code, out, err = stnkit_main("plugins", "show", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_the_help_of_train_says_where_options_are_explained(stnkit_main):
    code, out, _ = stnkit_main("train", "--help")
    assert code == 0
    assert "`stnkit plugins show KIND NAME`" in out


@pytest.mark.slow
def test_the_help_of_train_lists_the_groups_to_choose_from(stnkit_main, tmp_path):
    (tmp_path / "mine/inner").mkdir(parents=True)
    (tmp_path / "mine/inner/deep.yaml").write_text("seed: 1\n")
    code, out, err = stnkit_main("train", "--help", "--config-dir", str(tmp_path))
    assert code == 0, err
    groups = out.split("== Options ==")[0].splitlines()
    assert "training: default, paper" in groups
    assert "mine/inner: deep" in groups
    assert not [line for line in groups if line.startswith(("schema", "hydra"))]


def test_the_help_of_no_option_begins_with_of():
    helps = {key: entry.help for key, entry in application_entries().items()}
    assert not [key for key, text in helps.items() if text.startswith("of ")]
    assert helps["training.momentum"] == "momentum of SGD; ignored by AdamW."


def test_a_name_of_one_kind_needs_no_kind(stnkit_main):
    whole = stnkit_main("plugins", "show", "transform", "tps")
    assert whole[0] == 0
    assert stnkit_main("plugins", "show", "tps") == stnkit_main("plugins", "show", "transform.tps") == whole


@pytest.mark.filterwarnings("ignore::stnkit.plugin_system.registry.PluginWarning")
def test_a_broken_plugin_is_found_by_its_name_alone(stnkit_main, make_distribution):
    make_distribution("breaks", {}, {"transform.bad": "no_such_module_at_all"})
    code, out, _ = stnkit_main("plugins", "show", "bad")
    assert code == 1
    assert out.startswith("transform bad  from breaks 1.0 (no_such_module_at_all)\n")


def test_a_section_of_options_is_shown(stnkit_main, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = stnkit_main("plugins", "show", "placement")
    assert code == 0
    assert out == (
        "Insertion points of spatial transformers.\n"
        "\n"
        "options\n"
        "  at: list[str] = [input]\n"
        "      `input`, or submodules of the network by name: transformers are inserted in front of them.\n"
        "  parallel: int = 1\n"
        "      number of parallel transformers; outputs are concatenated along the channels.\n"
        "  recurrent: int = 1\n"
        "      number of passes through each localizer, for transforms that compose.\n"
        "  pair: bool = false\n"
        "      images are pairs: the localizer sees both, and the sampler reads the first, the moving image.\n"
        "  parts: dict[str, Any] = {}\n"
        "      by insertion point, the options that differ there: transform, localizer, sampler, out_size,\n"
        "      parallel, recurrent, transform_init.\n"
        "\n"
        "example\n"
        "  stnkit train 'placement.at=[input]'\n"
    )


@pytest.mark.parametrize(
    ("option", "first_line"),
    [
        ("training.optimizer", "training.optimizer: adamw | sgd = adamw"),
        ("training.loggers", "training.loggers: list[csv | tensorboard | wandb | mlflow] = [csv]"),
        ("training.equivariance.weight", "training.equivariance.weight: float | null = null"),
        ("out_size", "out_size: list[int] | null = null"),
        ("seed", "seed: int = 0"),
        ("network", "network: NAME = compact_cnn"),
    ],
)
def test_an_option_is_shown_by_itself(option, first_line, stnkit_main):
    code, out, _ = stnkit_main("plugins", "show", option)
    assert code == 0
    assert out.startswith(f"{first_line}\n    ")
    assert f"stnkit train {option}=" in out.replace("'", "").splitlines()[-1]


@pytest.mark.slow
def test_every_option_of_the_application_has_help():
    entries = application_entries()
    # Hydra composes nothing else: what is missing here could not be set.
    config = OmegaConf.to_container(composed())
    keys = [key for key, value in config.items() if key not in sections()]
    assert {key for key in entries if "." not in key} == set(keys)
    assert {key for key in entries if "." in key} == {
        f"{section}.{key}"
        for section in sections()
        for key in OmegaConf.select(composed(), section)
        if f"{section}.{key}" not in sections()
    }
    assert [key for key, entry in entries.items() if len(entry.help) < 10] == []
    assert all(description(section) for section in sections().values())


def test_the_help_of_train_explains_every_option(stnkit_main, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = stnkit_main("train", "transform=tps", "training.epochs=7", "placement=layers", "--help")
    assert code == 0
    for key, entry in application_entries().items():
        assert f"\n  {key}: " in out
        assert entry.help[:30] in out
    assert "\n  training.epochs: int = 7\n      passes over the training images.\n" in out
    assert "\n  transform: NAME = tps\n" in out
    assert "\n  transform.regularization: float | list[float] = 0.0\n      λ, at least 0" in out
    assert "\n  placement.at: list[str]  (required)\n" in out
