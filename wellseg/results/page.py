"""A page from its template: title, style, script and data, nothing of them taken for markup."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader
from jinja2.utils import htmlsafe_json_dumps

FOLDER = Path(__file__).parent
TEMPLATES = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True)


def fill(template: str, title: str, data: dict[str, Any]) -> bytes:
    """The page ``template``, a file of this package, with its title and data."""
    inline = htmlsafe_json_dumps(data, dumps=json.dumps, separators=(",", ":"))
    page = TEMPLATES.get_template(template).render(title=title, data=inline)
    return page.encode("utf-8", "backslashreplace")  # names that are not UTF-8


def link(path: str) -> str:
    """A relative path as an address: a scan's name may hold #, % and ?, or a scheme's colon."""
    return quote(os.fsencode(path))
