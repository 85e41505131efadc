"""What stnkit raises. A message is one sentence: what is wrong, what was given, what is allowed.

The command line prints these without a traceback and ends with exit code 2.
"""


class StnkitError(Exception):
    """The base of all errors that stnkit raises on purpose."""


class InputError(StnkitError, ValueError):
    """An argument, an option or a configuration is not what it has to be."""


class PluginError(StnkitError):
    """A plugin cannot be used: it is broken, blocked, or clashes with another."""


class UnknownNameError(InputError):
    """No component of that kind has that name."""


class DataError(StnkitError):
    """Data on disk is missing, incomplete or altered."""


class CheckpointError(StnkitError):
    """A checkpoint is missing, cut short, or belongs to another run."""


class NotFiniteError(StnkitError, ArithmeticError):
    """A loss, a θ or a weight became NaN or infinite during training."""


class DoesNotComposeError(StnkitError, NotImplementedError):
    """The composition of two maps of this family is not in the family."""
