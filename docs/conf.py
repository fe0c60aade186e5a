"""The documentation site: ``make docs`` builds it, ``make docs-serve`` shows it.

What can be said by the code is written by the code at every build: the pages of the command line, of the files and of
the REST API (``cli_pages.py``, ``format_pages.py``). Nothing on the pages comes from another host.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import cli_pages
import format_pages
from sphinx.domains.python import PyObject

import fervid

if TYPE_CHECKING:
    from docutils.nodes import Element, reference
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "fervid"
author = "The fervid authors"
copyright = f"{author}, Apache-2.0"
version = release = fervid.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["reference/generated"]  # parts of pages
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

smartquotes_action = "D"  # dashes alone; options stand in code

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

nitpicky = True
nitpick_ignore_regex = [
    # Names of packages whose pages are elsewhere: nothing is fetched to link to them.
    (r"py:.*", r"(?!fervid\b).*"),
    # Rooms of the house that have no page of their own.
    (r"py:.*", r"fervid\.(?!compat\.)[a-z_]+(\.[a-z_]+)*\.[A-Za-z_.]+"),
]

templates_path: list[str] = []
html_theme = "furo"
html_title = f"fervid {version}"
html_short_title = "fervid"
html_static_path = ["_static"]
html_css_files = ["fervid.css"]
html_js_files = ["fervid.js"]
html_logo = "../frontend/public/favicon.svg"
html_favicon = "../frontend/public/favicon.svg"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0f5f66",
        "color-brand-content": "#0f5f66",
        "color-brand-visited": "#5a4a7a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cc5cc",
        "color-brand-content": "#6cc5cc",
        "color-brand-visited": "#b9a8dd",
    },
    "navigation_with_keys": True,
    "top_of_page_buttons": [],
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"
copybutton_here_doc_delimiter = "EOF"


def resolve_public_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> reference | None:
    """Link a type to the page of its public name: ``fervid.results.Analysis`` is ``fervid.Analysis`` to its users."""
    domain = env.get_domain("py")
    parts = node.get("reftarget", "").split(".")
    for i, part in enumerate(parts):
        if part in fervid.__all__:
            target = ".".join(["fervid", *parts[i:]])
            found: Any = domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, content)
            return found
    return None


_ARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?(?:numpy\.)?(\w+)\]\]"
)


def shorten_signature(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Arrays as they are written, and defaults that Sphinx can read."""
    short = None if signature is None else _ARRAY.sub(r"NDArray[\1]", signature).replace("<factory>", "...")
    return short, None if returns is None else _ARRAY.sub(r"NDArray[\1]", returns)


def shorten_docstring(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Arrays as they are written, in the types of attributes too."""
    lines[:] = [_ARRAY.sub(r"NDArray[\1]", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Write the pages that the code speaks, and connect the public names."""
    cli_pages.write_pages(DOCS / "reference" / "cli")
    format_pages.write_pages(DOCS / "reference" / "generated")
    app.connect("missing-reference", resolve_public_name)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-process-docstring", shorten_docstring, priority=900)  # after napoleon
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
