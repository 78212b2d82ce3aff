"""A page from its template: title, colours and data put in, nothing of them taken for markup."""

from __future__ import annotations

import html
import json
import os
import re
from importlib.resources import files
from typing import Any
from urllib.parse import quote


def fill(template: str, title: str, data: dict[str, Any]) -> bytes:
    """The page ``template`` (a file of this package) with its title, the shared style and its data."""
    folder = files("wellseg.results")
    page = (folder / template).read_text("utf-8")
    # "<" would end the script element early if a scan were called </script>.
    inline = json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    texts = {"title": html.escape(title), "data": inline}
    for mark, file in (("style", "style.css"), ("script", "view.js")):
        texts[mark] = (folder / file).read_text("utf-8")
    # In one pass: a scan may be called {{data}}.
    page = re.sub(r"\{\{(\w+)\}\}", lambda mark: texts[mark[1]], page)
    return page.encode("utf-8", "backslashreplace")  # names that are not UTF-8


def link(path: str) -> str:
    """A relative path as an address: a scan's name may hold #, % and ?, or a colon as after a scheme."""
    return quote(os.fsencode(path))
