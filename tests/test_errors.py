import pytest

from stnkit.errors import InputError, first_line, retold


class TooFewError(InputError):
    """An error that is made of other arguments than a message."""

    def __init__(self, expected: int, got: int) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.got = got


def test_an_error_that_is_told_again_keeps_class_and_values():
    error = TooFewError(3, got=2)
    assert retold(error, f"points: {error}") is error
    assert (str(error), error.got) == ("points: expected 3, got 2", 2)


@pytest.mark.parametrize("message", ["no file\nat all", "\n  no file \n"])
def test_the_first_line_of_a_message_is_one_with_words(message):
    assert first_line(OSError(message)) == "no file"
    assert first_line(OSError(message), typed=True) == "OSError: no file"


@pytest.mark.parametrize("error", [RuntimeError(), RuntimeError(""), RuntimeError("\n \n")])
def test_an_error_without_a_message_gives_its_type(error):
    assert first_line(error) == "RuntimeError"
    assert first_line(error, typed=True) == "RuntimeError"
