"""Overrides as a user can paste them: quoted for Hydra, then for the shell."""

import re
import shlex

from stnkit.cli.hydra_internals import parse_override

# What Hydra's grammar takes for one unquoted value, whatever it spells.
_UNQUOTED = re.compile(r"[A-Za-z0-9_/.@%:+-]+")


def quoted_override(key: str, value: object) -> str:
    """`KEY=VALUE` for a command line.

    Args:
        key: of the option.
        value: a path or a word.
    """
    text = str(value)
    if not _UNQUOTED.fullmatch(text) or parse_override(f"{key}={text}")[1] != text:
        # Backslashes count in front of a quote, and at the end of the value.
        escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
        text = f"'{escaped}'"
    word = f"{key}={text}"
    # Easier to read than single quotes around single quotes.
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)
