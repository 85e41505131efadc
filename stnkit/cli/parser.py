"""Argument parser of a command that raises a user's mistake as an InputError."""

import argparse
from typing import NoReturn

from stnkit.errors import InputError


class Parser(argparse.ArgumentParser):
    """An argparse parser that does not print the usage and exit on a mistake."""

    def error(self, message: str) -> NoReturn:
        """Raise argparse's message.

        Args:
            message: of argparse.

        Raises:
            InputError: always.
        """
        raise InputError(f"{message}; `{self.prog} --help` lists the arguments")
