"""Errors that are the user's to mend."""


class UserError(ValueError):
    """What is wrong, where, and how to mend it; commands print it and exit with code 2."""


class Stop(BaseException):
    """A signal asks to end; typer would make its own of a KeyboardInterrupt."""
