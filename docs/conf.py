"""Sphinx configuration: ``python -m sphinx -W -b html docs docs/_build/html``."""

import os
import sys
from pathlib import Path

import skmtl

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))  # the scripts that draw figures, and extensions

project = "skmtl"
author = "the skmtl developers"
copyright = f"2026, {author}"
version = release = skmtl.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx-mathjax-offline",
    "matplotlib.sphinxext.plot_directive",
    "benchmark_tables",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxext.opengraph",
    "api_pages",  # docs/api_pages.py
    "drawings",  # docs/drawings.py
]
exclude_patterns = ["_build", "_templates", "gallery", "results", "guide/figures"]
templates_path = ["_templates"]
nitpicky = False

# API reference: one page for each class and function.
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# The inventories of other projects are used where they can be downloaded: SKMTL_DOCS_ONLINE=1.
# Without them the names of other projects are printed as code.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "cvxpy": ("https://www.cvxpy.org", None),
    }
    if os.environ.get("SKMTL_DOCS_ONLINE")
    else {}
)

# Figures of the user guide, drawn by the scripts in guide/figures.
plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = [("png", 150)]
plot_rcparams = {"figure.figsize": (6.4, 3.2), "figure.constrained_layout.use": True}
plot_apply_rcparams = True

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
# README and CONTRIBUTING link to files of the repository.
suppress_warnings = ["myst.xref_missing", "config.cache"]

# A copied example has no prompts and no output.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skmtl",),
    "reference_url": {"skmtl": None},
    "filename_pattern": r"plot_",
    "ignore_pattern": r"_common\.py",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 5,
    "abort_on_example_error": False,
    "matplotlib_animations": False,
    "capture_repr": (),
}

html_theme = "pydata_sphinx_theme"
html_title = "skmtl"
html_static_path = ["_static"]
html_css_files = ["skmtl.css"]
html_extra_path = ["llms.txt"]
html_show_sourcelink = False
html_sidebars = {"get_started": [], "choosing": [], "changelog": []}
html_theme_options = {
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
ogp_site_url = ""
ogp_site_name = "skmtl"
ogp_social_cards = {"enable": False}
