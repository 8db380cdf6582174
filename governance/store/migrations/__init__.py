"""The tables' history, oldest first in ``versions``."""
