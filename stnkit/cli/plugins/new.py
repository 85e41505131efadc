"""`stnkit plugins new`: write an installable package with one small, working component of any kind."""

import shlex
import shutil
import sys
from pathlib import Path

from stnkit.cli.parser import Parser
from stnkit.plugin_system import KINDS
from stnkit.scaffold import write_package


def main(arguments: list[str]) -> int:
    """Write the package and print the next commands.

    Args:
        arguments: those after the subcommand.

    Raises:
        InputError: when there is no such kind, the name is taken or invalid, or the folder exists.
    """
    parser = Parser(prog="stnkit plugins new", description=__doc__)
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="of the component, as in KIND=NAME")
    parser.add_argument("--directory", type=Path, default=Path(), metavar="DIR", help="folder for stnkit-NAME/")
    options = parser.parse(arguments)
    package = write_package(options.kind, options.name, options.directory)
    print(f"{package / f'stnkit_{options.name}.py'} contains the {options.kind}; edit it there. Next:\n")
    for command in next_commands(options.kind, options.name, package):
        print(f"  {command}")
    return 0


def next_commands(kind: str, name: str, package: Path) -> list[str]:
    """The commands that install the written package, test it and train with it.

    Args:
        kind: of the component.
        name: of the component.
        package: the folder that was written.
    """
    python = _program("python")
    return [
        f"cd {shlex.quote(str(package))}",
        f"{python} -m pip install -e '.[test]'",
        f"{python} -m pytest",
        f"{_program('stnkit')} train {kind}={name}",
    ]


def _program(name: str) -> str:
    """A program of this environment: its name if that is on the PATH, else its path."""
    own = Path(sys.executable).parent / name
    found = shutil.which(name)
    return name if (found and Path(found) == own) or not own.exists() else shlex.quote(str(own))
