"""`python -m stnkit`: the same as `stnkit`."""

from stnkit.cli.main import entry

if __name__ == "__main__":
    entry()
