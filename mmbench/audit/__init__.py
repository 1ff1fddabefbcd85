"""Figures against arithmetic: what no ranking can have, in our own rows and in published tables."""

from mmbench.audit.gate import violations

__all__ = ["violations"]
