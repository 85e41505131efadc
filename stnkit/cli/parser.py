"""Arguments of a command, with mistakes said as all others: in one sentence."""

import argparse
from typing import NoReturn

from stnkit.errors import InputError


class Parser(argparse.ArgumentParser):
    """argparse, which by itself prints the usage and ends the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong.

        Args:
            message: of argparse.

        Raises:
            InputError: always.
        """
        raise InputError(f"{message}; `{self.prog} --help` tells what there is")
