"""Settings of the site, which `nox -s docs` builds with Sphinx: every warning is an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Seedbed"
author = "The Seedbed authors"
extensions = ["myst_parser", "questions"]
exclude_patterns = ["_build"]
nitpicky = True

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "fieldlist"]

html_theme = "furo"
html_title = "Seedbed"
html_copy_source = False
html_show_copyright = False
# Light and dark are the reader's choice; the styles of the code follow it.
pygments_style = "tango"
pygments_dark_style = "monokai"
