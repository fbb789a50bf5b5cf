"""The order of the house: who imports whom, how long modules are, and what importing leaves behind."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import sktextcnn

PACKAGE = Path(sktextcnn.__file__).parent

#: Every module, and the modules of ours that it may import. A stage knows the stages before it, and
#: all of them meet in `classifier`. A new module gets a line of its own here.
STAGES = {
    "text": set(),
    "label_matrix": set(),
    "labels": {"label_matrix"},
    "label_hints": {"label_matrix", "labels"},
    "inputs": {"label_hints", "labels", "objective", "text"},
    "thresholds": set(),
    "metrics": {"labels"},
    "model_selection": {"labels"},
    "objective": set(),
    "weights": {"text"},
    "examples": {"text", "weights"},
    "network": {"text", "weights"},
    "ngrams": {"text"},
    "inference": {"text"},
    "jit": set(),
    "threads": set(),
    "svm": {"jit", "threads"},
    "linear": {"svm"},
    "explain": {"inference", "ngrams", "text"},
    "training": {"examples", "network", "text", "validation", "weights"},
    "recipe": {"examples", "inference", "linear", "ngrams", "training", "validation"},
    "callbacks": set(),
    "validation": {"inference", "metrics", "thresholds"},
    "parameters": {"metrics", "objective", "text", "thresholds"},
    "persistence": set(),
    "vector_files": set(),
    "embeddings": {"text", "vector_files"},
    "predicting": {
        *("explain", "inference", "labels", "network", "ngrams", "objective"),
        *("parameters", "persistence", "text", "thresholds"),
    },
}
LEAVES = {
    "__init__": {"classifier", "embeddings", "labels", "loading"},
    "__main__": {"cli"},
    "loading": {"classifier", "persistence", "predicting"},
    "cli": {"classifier", "datasets", *STAGES} - {"network", "training"},
    "datasets": {"classifier", "datasets", "labels"},
}
ALLOWED = {**STAGES, "classifier": set(STAGES), **LEAVES}

#: Modules that need nothing but NumPy and the standard library.
NUMPY_ALONE = [
    "text",
    "label_matrix",
    "thresholds",
    "weights",
    "inference",
    "persistence",
    "vector_files",
]
KERAS = {"tensorflow", "keras", "scikeras"}
USE_KERAS = {"network", "training"}
MOST_LINES = 320


def module_name(path):
    """First part of a module's name inside the package: datasets/_news_tags.py is `datasets`."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


PATHS = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in PATHS}
each_file = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(PACKAGE).as_posix())


def imports(tree, *, type_checking=True):
    """Dotted names of all that is imported, at any depth: `a.b` for `import a.b`, `from a import b`."""
    stack, names = [tree], []
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "import by the full name, not relative to the module"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            names += [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
        children = [*ast.iter_child_nodes(node)]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not type_checking:
            children = node.orelse
        stack += children
    return names


def imported_stages(tree):
    """Which modules of ours are imported; exported names count as the module that defines them."""
    stages = set()
    for name in imports(tree):
        package, _, rest = name.partition(".")
        first = rest.split(".")[0]
        if package == "sktextcnn" and first != "__version__":
            stages.add(sktextcnn._EXPORTS.get(first, first) or "__init__")
    return stages


def count_code_lines(source):
    """Lines that hold code: no blank lines, comments or docstrings."""
    blank = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in blank | {tokenize.ENDMARKER}:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def test_lines_of_code_are_counted_right():
    source = '"""Doc\n\nstring."""\n\n# comment\nx = [  # note\n    1,\n]\n\n\n'
    source += 'def f():\n    """Doc."""\n    text = """a\n\n    b"""\n    return text\n'
    assert count_code_lines(source) == 8


def test_imports_are_found_at_any_depth():
    tree = ast.parse(
        "import a.b as c\nif TYPE_CHECKING:\n    import typed\nelse:\n    import untyped\n"
        "def f():\n    from d import e, g\n    import_module('h')\n"
    )
    assert {*imports(tree)} == {"a.b", "typed", "untyped", "d.e", "d.g", "h"}
    assert {*imports(tree, type_checking=False)} == {"a.b", "untyped", "d.e", "d.g", "h"}


@each_file
def test_module_stands_in_the_table(path):
    assert module_name(path) in ALLOWED


def test_the_table_has_no_other_modules():
    assert set(ALLOWED) == {*map(module_name, PATHS)}


@each_file
def test_imports_go_one_way(path):
    assert imported_stages(TREES[path]) <= ALLOWED[module_name(path)]


def test_only_leaves_import_the_classifier():
    importers = {
        module_name(path) for path, tree in TREES.items() if "classifier" in imported_stages(tree)
    }
    assert importers
    assert importers <= set(LEAVES)


def test_nothing_imports_the_leaves():
    leaves = set(LEAVES) - {"datasets"}
    for path, tree in TREES.items():
        if module_name(path) not in LEAVES:
            assert not imported_stages(tree) & {*leaves, "datasets"}, path


def test_the_stages_have_an_order():
    """Each module can be read after those that it imports: no circles."""
    read = set()
    while len(read) < len(STAGES):
        readable = {stage for stage, needed in STAGES.items() if needed <= read} - read
        assert readable, f"a circle among {set(STAGES) - read}"
        read |= readable


@each_file
def test_keras_is_imported_by_network_and_training_alone(path):
    used = {name.split(".")[0] for name in imports(TREES[path], type_checking=False)}
    assert module_name(path) in USE_KERAS or not used & KERAS


def test_keras_is_imported_where_it_should_be():
    for stage in USE_KERAS:
        assert KERAS & {name.split(".")[0] for name in imports(TREES[PACKAGE / f"{stage}.py"])}


@pytest.mark.parametrize("stage", NUMPY_ALONE)
def test_modules_that_need_numpy_alone(stage):
    tree = TREES[PACKAGE / f"{stage}.py"]
    used = {name.split(".")[0] for name in imports(tree, type_checking=False)}
    assert used - set(sys.stdlib_module_names) <= {"numpy", "sktextcnn"}


def test_no_module_for_odds_and_ends():
    words = {word for path in PATHS for word in path.stem.strip("_").split("_")}
    assert not words & {"util", "utils", "helper", "helpers", "misc", "common"}


@each_file
def test_no_stage_receives_the_estimator(path):
    if module_name(path) in ("classifier", "callbacks"):
        return
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = [
                *(node.args.posonlyargs + node.args.args + node.args.kwonlyargs),
                *filter(None, [node.args.vararg, node.args.kwarg]),
            ]
            assert "estimator" not in {argument.arg for argument in arguments}, node.lineno


@each_file
def test_modules_are_short(path):
    assert count_code_lines(path.read_text("utf-8")) <= MOST_LINES


# -- the package from outside ------------------------------------------------------------------------


def test_exported_names_can_be_had():
    assert sorted(sktextcnn.__all__) == sorted([*sktextcnn._EXPORTS, "__version__"])
    for name in sktextcnn.__all__:
        assert getattr(sktextcnn, name) is not None
    assert dir(sktextcnn) == sorted(sktextcnn.__all__)


def test_other_names_cannot():
    with pytest.raises(AttributeError, match="module 'sktextcnn' has no attribute 'TextCnn'"):
        sktextcnn.TextCnn  # noqa: B018


# Runs in a fresh process and prints what changed between the steps named in its argument.
REPORT = """
import json, logging, os, sys, warnings

def look():
    loggers = {n: x.level for n, x in logging.root.manager.loggerDict.items() if hasattr(x, "level")}
    return {
        "environment": dict(os.environ),
        "filters": repr(warnings.filters),
        "levels": {name: level for name, level in loggers.items() if level},
        "root level": [logging.root.level, logging.root.manager.disable, len(logging.root.handlers)],
    }

before, after = sys.argv[1:]
exec(before)
first = look()
exec(after)
second = look()
changed = [key for key in first if first[key] != second[key]]
print(json.dumps({"changed": changed, "modules": sorted({n.split(".")[0] for n in sys.modules})}))
"""


def report(after, before="pass"):
    command = [sys.executable, "-c", REPORT, before, after]
    done = subprocess.run(
        command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_loads_and_changes_nothing():
    result = report("import sktextcnn")
    assert result["changed"] == []
    assert not {*result["modules"]} & {*KERAS, "sklearn", "scipy", "numpy", "pandas"}


def test_using_the_package_without_fit_loads_no_tensorflow():
    result = report(
        "from sktextcnn import TextCNNClassifier, as_label_matrix, group_rows\n"
        "import sktextcnn.engine.inference, sktextcnn.thresholds\n"
        "from sktextcnn.datasets import load_news_tags\n"
        "load_news_tags(); repr(TextCNNClassifier(filters=8)); as_label_matrix([['a'], ['b']])",
        # scikit-learn changes warning filters itself.
        before="import sklearn.metrics, sklearn.model_selection, sklearn.preprocessing, scipy.sparse",
    )
    assert result["changed"] == []
    assert "sklearn" in result["modules"]
    assert not {*result["modules"]} & KERAS


@pytest.mark.slow
def test_importing_the_network_changes_nothing_that_tensorflow_does_not():
    result = report(
        "import sktextcnn.training, sktextcnn.engine.network",
        before="import tensorflow, keras, scikeras.wrappers, sklearn.metrics",
    )
    assert result["changed"] == []
    assert {*result["modules"]} >= KERAS
