"""Names in messages: lists of the first few, of the choices that there are, and names behind an article."""

from collections.abc import Iterable, Sequence

from stnkit.errors import InputError


def listed(names: Sequence[str], n: int = 3, separator: str = ", ") -> str:
    """The first n names, and the number of all others.

    Args:
        names: such as those of weights.
        n: how many are named.
        separator: between them.

    Example:
        >>> from stnkit.listed import listed
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return separator.join(names[:n]) + more


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise an InputError unless a value is one of the choices.

    Args:
        name: of the option, for the message.
        value: of the option.
        choices: such as an enum of strings.

    Raises:
        InputError: for any other value.

    Example:
        >>> from stnkit.listed import check_choice
        >>> check_choice("fit", "crop", ["stretch", "crop"])
    """
    known = [*choices]
    if value not in known:
        raise InputError(f"{name}: expected one of {', '.join(known)}, got {value!r}")


def with_article(name: str) -> str:
    """The name behind `a`, or behind `an` where it begins with a vowel.

    Args:
        name: such as that of a kind or a class.

    Example:
        >>> from stnkit.listed import with_article
        >>> with_article("dataset"), with_article("objective")
        ('a dataset', 'an objective')
    """
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
