"""`stnkit plugins new`: write an installable package with one small, working component of any kind."""

import shlex
import shutil
import sys
from pathlib import Path

from stnkit.cli.parser import Parser
from stnkit.plugin_system.kinds import KINDS
from stnkit.scaffold import write_package


def main(arguments: list[str]) -> int:
    """Write the package and print the commands to go on with.

    Args:
        arguments: what stands after the subcommand.

    Raises:
        InputError: when there is no such kind, the name is taken or cannot be one, or the folder exists.
    """
    parser = Parser(prog="stnkit plugins new", description=__doc__)
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="what a config selects it by")
    parser.add_argument("--directory", type=Path, default=Path(), metavar="DIR", help="where stnkit-NAME/ goes")
    options = parser.parse_args(arguments)
    package = write_package(options.kind, options.name, options.directory)
    print(f"{package / f'stnkit_{options.name}.py'} holds the {options.kind}: change it there. Next:\n")
    for command in next_commands(options.kind, options.name, package):
        print(f"  {command}")
    return 0


def next_commands(kind: str, name: str, package: Path) -> list[str]:
    """From the written package to a trained run.

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
    """The program of this environment, by its name alone where the shell finds it so."""
    own = Path(sys.executable).parent / name
    found = shutil.which(name)
    return name if (found and Path(found) == own) or not own.exists() else shlex.quote(str(own))
