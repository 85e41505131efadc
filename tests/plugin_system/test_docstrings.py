from stnkit.plugin_system.docstrings import description, parameter_lines


class Base:
    """A base.

    Args:
        one: of the base.
        two: of the base.
    """


class Derived(Base):
    """f(x) = x.

    Args:
        one: said anew,
            on two lines: with a colon.
        *three: more.

    Attributes:
        four: is no parameter.

    Raises:
        ValueError: never.

    Source: a paper
    of two lines.
    """


class Silent(Base):
    pass


def test_a_parameter_is_described_by_the_class_and_else_by_its_base():
    assert parameter_lines(Derived) == {
        "one": "said anew, on two lines: with a colon.",
        "two": "of the base.",
        "three": "more.",
    }
    assert parameter_lines(Silent)["one"] == "of the base."


def test_the_description_leaves_out_the_parameters_and_nothing_else():
    assert description(Derived) == (
        "f(x) = x.\n\nAttributes:\n    four: is no parameter.\n\nRaises:\n    ValueError: never.\n\n"
        "Source: a paper\nof two lines."
    )
    assert description(Silent) == ""
