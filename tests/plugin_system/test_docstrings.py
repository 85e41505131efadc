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


def test_parameter_descriptions_fall_back_to_the_base_class():
    assert parameter_lines(Derived) == {
        "one": "said anew, on two lines: with a colon.",
        "two": "of the base.",
        "three": "more.",
    }
    assert parameter_lines(Silent)["one"] == "of the base."


def test_the_description_omits_only_the_parameters():
    assert description(Derived) == (
        "f(x) = x.\n\nAttributes:\n    four: is no parameter.\n\nRaises:\n    ValueError: never.\n\n"
        "Source: a paper\nof two lines."
    )
    assert description(Silent) == ""
