import dataclasses
import enum
from pathlib import Path
from typing import Literal

import pytest
from omegaconf import OmegaConf

import stnkit
from stnkit.plugin_system.building import construct
from stnkit.plugin_system.components import Component
from stnkit.plugin_system.hydra_configs import component_node
from stnkit.plugin_system.options import check_configurable, options_of, validate_options
from stnkit.plugin_system.registry import plugin_registry


class Flavor(enum.StrEnum):
    sweet = "sweet"
    sour = "sour"


class Example(stnkit.Sampler):
    """Keeps what it was given."""

    def __init__(
        self,
        number: float = 1.0,
        pair: tuple[int, int] = (1, 2),
        names: list[str] | None = None,
        flavor: Flavor | str = Flavor.sweet,
    ):
        super().__init__()
        self.given = (number, pair, names, flavor)
        if number < 0:
            raise ValueError(f"number must not be negative, but {number} was given")

    def forward(self, image, grid):
        return image


EXAMPLE = Component("example", Example)


def test_options_are_the_parameters_that_are_not_supplied():
    localizer = plugin_registry().component("localizer", "convolutional")
    assert [o.name for o in options_of(localizer)] == [
        "channels",
        "kernel_size",
        "downsample",
        "features",
        "batch_norm",
    ]


def test_a_double_star_may_be_all_that_follows_a_changed_default():
    class Affine3(plugin_registry().component("transform", "affine").cls):
        def __init__(self, ndim: int = 3, **rest):
            super().__init__(ndim=ndim, **rest)

    component = Component("affine3", Affine3)
    check_configurable(component)
    assert [(o.name, o.default) for o in options_of(component)] == [("ndim", 3)]


def test_lists_become_tuples_and_ints_pass_for_floats():
    assert validate_options(EXAMPLE, {"pair": [3, 4], "number": 2}) == {"pair": (3, 4), "number": 2}


class Readings(stnkit.Sampler):
    """Keeps what a config makes of YAML."""

    def __init__(
        self,
        flavor: Flavor = Flavor.sweet,
        flavors: list[Flavor] | None = None,
        root: Path = Path("data"),
        corners: tuple[tuple[int, int], ...] = ((0, 0),),
        rates: dict[str, tuple[float, float]] | None = None,
    ):
        super().__init__()
        self.given = (flavor, flavors, root, corners, rates)

    def forward(self, image, grid):
        return image


def test_enums_paths_and_nested_tuples_are_converted():
    given = {
        "flavor": "sour",
        "flavors": ["sour", "sweet"],
        "root": "a/b",
        "corners": [[1, 2], [3, 4]],
        "rates": {"a": [0.5, 1]},
    }
    assert validate_options(Component("readings", Readings), given) == {
        "flavor": Flavor.sour,
        "flavors": [Flavor.sour, Flavor.sweet],
        "root": Path("a/b"),
        "corners": ((1, 2), (3, 4)),
        "rates": {"a": (0.5, 1)},
    }
    with pytest.raises(stnkit.errors.InputError, match="option flavor: expected one of sweet, sour, got 'bitter'"):
        validate_options(Component("readings", Readings), {"flavor": "bitter"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pair": [1, 2, 3]}, r"option pair: expected tuple\[int, int\], got \[1, 2, 3\]"),
        ({"number": "x"}, "option number: expected float, got 'x'"),
        ({"number": True}, "option number: expected float, got True"),
        ({"pair": [1, False]}, r"option pair: expected tuple\[int, int\], got \[1, False\]"),
        ({"names": [1]}, r"option names: expected list\[str\] \| None, got \[1\]"),
        ({"names": ["a"] * 50 + [1]}, r"option names: expected list\[str\] \| None, got \['a', .*, 1\]"),
        ({"nmaes": []}, "no option 'nmaes'; its options are: number, pair, names, flavor"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_sentence(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message) as error:
        validate_options(EXAMPLE, options)
    assert "\n" not in str(error.value)


def test_build_takes_a_name_or_a_mapping_and_options_win():
    assert stnkit.build("transform", "affine").ndim == 2
    assert stnkit.build("transform", {"name": "affine", "ndim": 3}).ndim == 3
    assert stnkit.build("transform", {"name": "affine", "ndim": 2}, ndim=3).ndim == 3


def test_build_does_not_change_the_mapping():
    mapping = {"name": "affine", "ndim": 3}
    stnkit.build("transform", mapping)
    assert mapping == {"name": "affine", "ndim": 3}


@pytest.mark.parametrize("given", [{}, {"ndim": 2}, 3, None, ["affine"], {"name": 3}])
@pytest.mark.no_jaxtyping
def test_what_is_neither_a_name_nor_a_mapping_is_refused(given):
    with pytest.raises(stnkit.errors.InputError, match="a name, or a mapping with a name"):
        stnkit.build("transform", given)


def test_an_unknown_name_lists_the_names_there_are():
    with pytest.raises(stnkit.errors.UnknownNameError, match=r"no transform 'nonsense'; the transforms are: .*affine"):
        stnkit.build("transform", "nonsense")


def test_an_unknown_kind_lists_the_kinds():
    with pytest.raises(
        stnkit.errors.InputError, match="no kind 'transfrom'; the kinds are transform, localizer, sampler"
    ):
        stnkit.build("transfrom", "affine")


def test_supplied_parameters_are_required_only_if_accepted():
    with pytest.raises(stnkit.errors.InputError, match="in_shape, which the program must supply"):
        stnkit.build("localizer", "convolutional")
    assert stnkit.build("network", "paper_fcn", in_shape=(1, 8, 8), n_classes=3)
    with pytest.raises(stnkit.errors.InputError, match="no option 'in_shape'"):
        stnkit.build("localizer", {"name": "convolutional", "in_shape": [1, 8, 8]}, in_shape=(1, 8, 8))


@pytest.mark.no_jaxtyping
def test_what_a_constructor_refuses_names_the_component():
    with pytest.raises(stnkit.errors.InputError, match=r"^transform 'affine': ndim: expected 2 or 3, got 4$"):
        stnkit.build("transform", "affine", ndim=4)


class Wrong(Example):
    """Raises what it is given."""

    error: BaseException

    def __init__(self):
        super().__init__()
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("calib.json"), "sampler 'wrong': FileNotFoundError: calib.json"),
        (PermissionError(13, "Permission denied", "a.txt"), "sampler 'wrong': PermissionError: [Errno 13] Permission"),
        (SystemExit(3), "sampler 'wrong': its constructor has exited, with code 3"),
    ],
    ids=["missing", "denied", "exit"],
)
def test_an_error_of_a_constructor_names_the_component(error, said, monkeypatch):
    monkeypatch.setattr(Wrong, "error", error, raising=False)
    with pytest.raises(stnkit.errors.InputError) as caught:
        construct(Component("wrong", Wrong), {}, {})
    assert str(caught.value).startswith(said)


class TooFewError(stnkit.errors.DataError):
    """An error that is made of other arguments than a message."""

    def __init__(self, expected, got):
        super().__init__(f"expected {expected}, got {got}")


def test_an_error_of_a_plugin_keeps_its_class(monkeypatch):
    monkeypatch.setattr(Wrong, "error", TooFewError(3, 2), raising=False)
    with pytest.raises(TooFewError, match=r"^sampler 'wrong': expected 3, got 2$"):
        construct(Component("wrong", Wrong), {}, {})


def test_a_number_too_large_for_a_float_is_refused(monkeypatch):
    monkeypatch.setattr(Wrong, "error", OverflowError("int too large to convert to float"), raising=False)
    with pytest.raises(stnkit.errors.InputError, match=r"^sampler 'wrong': int too large to convert to float$"):
        construct(Component("wrong", Wrong), {}, {})


@pytest.mark.parametrize("name", ["größe", "Ωmega", "x²", "a_β", "١"])
def test_a_name_that_no_command_line_takes_is_refused(name):
    with pytest.raises(stnkit.errors.InputError, match="a letter, then letters, digits and underscores"):
        Component(name, Example)


def test_an_option_that_no_command_line_takes_is_refused():
    class Sized(Example):
        def __init__(self, größe: int = 1):
            super().__init__()

    said = "the parameter größe of its constructor needs another name, of ASCII letters, digits and underscores"
    with pytest.raises(stnkit.errors.InputError, match=said):
        check_configurable(Component("sized", Sized))


@dataclasses.dataclass
class Group:
    size: int = 1


class Speed(enum.Enum):
    FAST = 1
    EXACT = 2


class Grouped(stnkit.Sampler):
    def __init__(
        self,
        group: Group | None = None,
        count: Literal[1, 2, None] = 1,
        many: Literal[True, "a"] = "a",
        speed: Speed = Speed.FAST,
    ):
        super().__init__()

    def forward(self, image, grid):
        return image


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"count": True}, r"option count: expected one of 1, 2, None, got True"),
        ({"count": 1.0}, r"option count: expected one of 1, 2, None, got 1.0"),
        ({"many": 1}, r"option many: expected one of True, 'a', got 1"),
        ({"speed": "slow"}, "option speed: expected one of FAST, EXACT, got 'slow'"),
        ({"group": {"size": 2}}, r"option group: expected .*Group \| None, got \{'size': 2\}"),
    ],
)
def test_an_equal_value_of_another_type_is_refused(options, sentence):
    with pytest.raises(stnkit.errors.InputError, match=sentence):
        validate_options(Component("grouped", Grouped), options)


@pytest.mark.parametrize("options", [{"count": 2}, {"count": None}, {"many": True}, {"many": "a"}, {"group": None}])
def test_a_value_of_a_literal_or_none_is_taken(options):
    assert validate_options(Component("grouped", Grouped), options) == options


def test_a_dataclass_is_no_group_of_a_config():
    node = OmegaConf.structured(component_node(Component("grouped", Grouped)))
    node.group = {"size": "two"}
    assert node.group == {"size": "two"}
