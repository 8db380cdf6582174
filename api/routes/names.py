"""Names in paths, as producers and people make them: slashes and line breaks are part of them.

Starlette's own ``path`` ends at a line break, so that a command type with one in it could be
paused by a rule and never resumed by anybody.
"""

from __future__ import annotations

from starlette.convertors import Convertor


class NameConvertor(Convertor[str]):
    """``{name:name}`` in a route's path: any text but none at all."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        """Return the name that stands in a path."""
        return value

    def to_string(self, value: str) -> str:
        """Return the name as it stands in a path."""
        return value
