"""Tags: what somebody read, so that they change only that (``ETag``, ``If-Match``).

A rule's tag and a proposal's are their versions.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Depends, Header

from schemas.errors import BadRequest, Outdated

TAG: Final = re.compile(r'"[\x21\x23-\x7e]{1,80}"')
VERSION: Final = re.compile(r'"v(\d{1,9})"')

IfMatch = Annotated[
    str | None,
    Header(max_length=100, description="The `ETag` of what you decided on; 412 if it changed."),
]


async def seen_tag(if_match: IfMatch = None) -> str | None:
    """Return the tag that the caller decided on, or None if any will do.

    Raises:
        BadRequest: it is not one strong tag.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    if TAG.fullmatch(if_match.strip()) is None:
        raise BadRequest('one tag, as the ETag had it: "..."', field="If-Match")
    return if_match.strip()


AskTag = Annotated[str | None, Depends(seen_tag)]


async def seen_version(tag: AskTag) -> int | None:
    """Return the version that the caller decided on, or None if any will do.

    Raises:
        Outdated: the tag is of something else than a version.
    """
    if tag is None:
        return None
    found = VERSION.fullmatch(tag)
    if found is None:
        raise Outdated(f"{tag} is no version of it", allowed_when="read it again")
    return int(found[1])


AskVersion = Annotated[int | None, Depends(seen_version)]


def version_tag(version: int) -> str:
    """Return the tag of a version.

    >>> version_tag(3)
    '"v3"'
    """
    return f'"v{version}"'
