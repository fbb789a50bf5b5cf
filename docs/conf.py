"""Configuration of the documentation. The build needs no network."""

import doctest
import logging
import re
import sys
from pathlib import Path

# The checkout before any installed release, and the extensions next to this file.
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent / "_ext")]

import sktextcnn  # noqa: E402

project = "sktextcnn"
author = "the sktextcnn developers"
copyright = "the sktextcnn developers"
version = release = sktextcnn.__version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "parameter_table",
    "command_help",
    "markdown_changelog",
    "mathml",
]
exclude_patterns = ["_build", "generated"]
smartquotes = False  # quotes are mostly code here
default_role = "literal"  # as single backticks are meant in docstrings

autosummary_generate = False
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings name the types

# Doctests: TensorFlow reports on the processor and missing GPUs where no one asked.
doctest_global_setup = """
import os
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
"""
doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.DONT_ACCEPT_TRUE_FOR_1
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

# The first fit on a machine says that it compiles its kernels; the gallery need not.
logging.getLogger("sktextcnn").addHandler(logging.NullHandler())

# The gallery runs the scripts in examples/ that have changed since they were last run.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "image_srcset": ["2x"],
    "download_all_examples": False,
    "show_signature": False,
    "capture_repr": ("_repr_html_",),
    "within_subsection_order": "reading_order.ReadingOrder",
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sktextcnn"
html_math_renderer = "mathml"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["layout.css"]
html_sidebars = {page: [] for page in ("index", "api", "changelog")}
html_theme_options = {
    "navigation_with_keys": False,
    # The table of parameters needs the room.
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "parameters": []},
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}


def keep_backslashes(app, what, name, obj, options, lines):
    """Escape the backslashes of defaults in "name : type, default=..." lines."""
    lines[:] = [
        line.replace("\\", "\\\\") if re.match(r"\w+ : .*default=", line) else line for line in lines
    ]


def setup(app):
    app.connect("autodoc-process-docstring", keep_backslashes, priority=100)  # before numpydoc
