"""How the book is rendered. `make book` gathers its pages in _build/book/source; see build.py."""

from __future__ import annotations

import html

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

project = "Write-behind with Redis and MongoDB"
author = "the authors of the course"
copyright = "its authors, MIT licence"
language = "en"

extensions = ["myst_nb"]
nb_execution_mode = "off"  # nbmake ran them; a page shows what came out of that run
nb_merge_streams = True
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
exclude_patterns = [".*"]

html_theme = "furo"
html_title = project
pygments_dark_style = "a11y-dark"  # the theme's own is too faint in places
html_static_path = ["_static"]
html_css_files = ["book.css", "terminal.css"]
html_js_files = [("mermaid.min.js", {"defer": "defer"}), ("book.js", {"defer": "defer"})]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}


class Mermaid(SphinxDirective):
    """A diagram: its text stays in the page for those without scripts, book.js draws it."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the diagram's text as a block that book.js knows."""
        text = html.escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">{text}</pre>', format="html")]


def setup(app: Sphinx) -> None:
    """Register the diagrams."""
    app.add_directive("mermaid", Mermaid)
