"""Argument parser of a command that raises a user's mistake as an InputError."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from stnkit.errors import InputError


class Parser(argparse.ArgumentParser):
    """An argparse parser that does not print the usage and exit on a mistake."""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The values of a command line, whose options may stand between its other words.

        Args:
            arguments: those after the command.

        Raises:
            InputError: for a user's mistake.

        Example:
            >>> parser = Parser("stnkit example")
            >>> _ = parser.add_argument("words", nargs="*")
            >>> _ = parser.add_argument("--json", action="store_true")
            >>> parser.parse(["one", "--json", "two"])
            Namespace(json=True, words=['one', 'two'])
        """
        return self.parse_intermixed_args([*arguments])

    def error(self, message: str) -> NoReturn:
        """Raise argparse's message.

        Args:
            message: of argparse.

        Raises:
            InputError: always.
        """
        raise InputError(f"{message}; `{self.prog} --help` lists the arguments")
