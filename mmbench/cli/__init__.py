"""The command line: parse, call, print; no logic."""

from mmbench.cli.commands import app, main

__all__ = ["app", "main"]
