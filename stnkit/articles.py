"""Articles of names in messages."""


def with_article(name: str) -> str:
    """The name behind `a`, or behind `an` where it begins with a vowel.

    Args:
        name: such as that of a kind or a class.

    Example:
        >>> from stnkit.articles import with_article
        >>> with_article("dataset"), with_article("objective")
        ('a dataset', 'an objective')
    """
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
