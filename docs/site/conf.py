"""How the documentation site is built: `make site`. Nothing in it asks another server for anything."""  # noqa: INP001 - read by Sphinx

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Thi Đua"
author = "Thi Đua"
copyright = "Thi Đua"  # noqa: A001 - Sphinx asks for this name
language = "en"
extensions = ["myst_parser", "made"]
exclude_patterns = ["site", "images"]
html_theme = "furo"
html_title = "Thi Đua"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
myst_heading_anchors = 3
myst_links_external_new_tab = False
pygments_style = "sphinx"
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]  # an ellipsis in an example is no mistake
nitpicky = True
