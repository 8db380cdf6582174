"""People: how they are called, and when two names are one person."""

from governance.people.names import check_name, is_same_person, skeleton, told_as

__all__ = ["check_name", "is_same_person", "skeleton", "told_as"]
