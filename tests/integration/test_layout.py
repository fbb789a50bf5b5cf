"""The order of the house: who imports whom, how long modules are, and what importing leaves behind."""

from __future__ import annotations

import ast
import copy
import io
import json
import sys
import tokenize
from pathlib import Path

import pytest

import sktextcnn
from tests.examples import TAGS, TEXTS, tiny
from tests.processes import run_python

PACKAGE = Path(sktextcnn.__file__).parent

#: Every module in an order in which one can read them, and exactly those of ours that it imports, all
#: of them from lines above. A new module, or a new import, gets its place here. The comments name the
#: layers in the picture of docs/architecture.rst; after a change: python docs/draw_pictures.py
MODULES = {
    # texts
    "text": set(),
    "text.checks": set(),
    "text.spool": set(),
    "text.tokens": {"text.spool"},
    "text.vocabulary": {"text.tokens"},
    "text.numbering": {"text.spool", "text.tokens", "text.vocabulary"},
    "text.spans": {"text.tokens"},
    "text.vector_files": set(),
    "text.cooccurrence": {"text.tokens"},
    "embeddings": {
        *("text.checks", "text.cooccurrence", "text.tokens", "text.vector_files", "text.vocabulary"),
    },
    # labels
    "labels": set(),
    "labels.matrix": set(),
    "labels.classes": {"labels.matrix"},
    "labels.forms": {"labels.classes", "labels.matrix"},
    "labels.parsing": {"labels.classes", "labels.forms", "labels.matrix"},
    "labels.collecting": {"labels.classes", "labels.forms"},
    "labels.hints": {"labels.forms"},
    "objective": set(),
    # files of them
    "tables": set(),
    "tables.dialect": set(),
    "tables.reader": {"tables.dialect"},
    "tables.writer": {"tables.dialect"},
    "stream": {"labels.classes", "tables.dialect", "tables.reader"},
    "inputs": {
        *("labels.classes", "labels.collecting", "labels.forms", "labels.hints", "labels.parsing"),
        *("objective", "stream", "text.checks", "text.numbering", "text.tokens"),
    },
    "teaching": {"labels.classes", "labels.forms"},
    # what computes
    "frames": set(),
    "jit": set(),
    "threads": set(),
    # the linear part
    "linear": set(),
    "linear.characters": {"text.tokens"},
    "linear.features": {"linear.characters", "text.tokens"},
    "linear.part": {"linear.characters", "linear.features", "text.tokens"},
    "linear.svm": {"jit", "threads"},
    "linear.training": {"linear.svm"},
    # the network
    "engine": set(),
    "engine.weights": {"text.tokens"},
    "engine.losses": set(),
    "engine.kernels": {"jit"},
    "engine.inference": {"engine.kernels", "engine.weights", "jit", "text.tokens", "threads"},
    "engine.examples": {"text.tokens"},
    "engine.observers": {"engine.examples", "text.tokens"},
    "engine.compiled": {
        *("engine.examples", "engine.inference", "engine.kernels", "engine.losses", "engine.observers"),
        *("engine.weights", "jit", "text.tokens", "threads"),
    },
    "engine.network": {"engine.weights", "linear.part", "text.tokens", "threads"},
    "engine.own_network": {"engine.network", "engine.weights", "linear.part", "text.tokens"},
    "engine.keras_engine": {
        *("engine.examples", "engine.inference", "engine.network", "engine.observers"),
        *("engine.own_network", "engine.weights", "text.tokens"),
    },
    "engine.engines": {
        *("engine.compiled", "engine.examples", "engine.inference", "engine.keras_engine"),
        *("engine.observers", "engine.own_network", "engine.weights", "text.tokens", "threads"),
    },
    # decisions
    "decision": set(),
    "decision.splits": set(),
    "decision.scoring": set(),
    "decision.rule": {"engine.inference"},
    "decision.thresholds": {"decision.rule"},
    "decision.held_out": {"decision.rule", "decision.thresholds", "text.tokens"},
    "decision.evaluator": {
        *("decision.held_out", "decision.rule", "decision.scoring", "decision.thresholds"),
        "engine.observers",
    },
    # what `fit` leaves, and saved models
    "resolved": set(),
    "fitted": {"linear.part", "resolved"},
    "storage": set(),
    "storage.encoding": set(),
    "storage.files": {"storage.encoding"},
    "storage.folder": {"storage.encoding", "storage.files"},
    "storage.archive": {"storage.encoding", "storage.files"},
    "storage.fingerprint": set(),
    "storage.params": {"storage.encoding"},
    "storage.arrays": {"text.tokens"},
    "storage.schema": {"fitted", "objective", "storage.arrays", "storage.folder"},
    # other formats
    "export": set(),
    "export.onnx_model": {
        *("decision.rule", "engine.inference", "engine.weights", "linear.features", "linear.part"),
        "text.tokens",
    },
    # the classifier, where all of them meet
    "callbacks": {"engine.observers"},
    "checkpoints": {
        *("engine.examples", "engine.observers", "storage.archive", "storage.fingerprint"),
    },
    "fitting": set(),
    "fitting.plan": set(),
    "fitting.networks": {
        *("callbacks", "checkpoints", "decision.evaluator", "decision.held_out", "engine.engines"),
        *("engine.examples", "engine.observers", "fitting.plan", "text.tokens", "threads"),
    },
    "fitting.svms": {
        *("callbacks", "checkpoints", "decision.held_out", "engine.examples", "fitting.plan"),
        *("linear.features", "linear.part", "linear.training", "text.tokens"),
    },
    "fitting.learning": {
        *("callbacks", "checkpoints", "decision.evaluator", "decision.held_out", "engine.engines"),
        *("engine.examples", "engine.observers", "fitting.networks", "fitting.plan", "fitting.svms"),
        *("linear.part", "linear.training", "text.tokens", "threads"),
    },
    "chunks": set(),
    "parameters": {
        *("decision.rule", "decision.scoring", "engine.examples", "engine.inference", "fitted"),
        *("linear.part", "objective", "resolved", "text.tokens"),
    },
    "prediction": {
        *("chunks", "decision.evaluator", "decision.rule", "engine.engines", "engine.inference"),
        *("engine.network", "engine.own_network", "export.onnx_model", "fitted", "inputs"),
        "labels.parsing",
        *("linear.part", "objective", "parameters", "resolved", "storage.params"),
        *("storage.schema", "text.checks", "text.tokens", "threads"),
    },
    "explain.evidence": set(),
    "explain.html": {"explain.evidence"},
    "explain.records": {"explain.evidence", "explain.html", "frames"},
    "explain": {"explain.evidence", "explain.html", "explain.records"},
    "explain.logits": {
        *("engine.engines", "engine.inference", "engine.weights", "linear.features", "linear.part"),
        "text.tokens",
    },
    "explain.mistakes": {"decision.rule"},
    "explain.explainer": {
        *("engine.engines", "explain.evidence", "explain.logits", "explain.mistakes"),
        *("explain.records", "labels.classes", "labels.parsing", "objective", "prediction"),
        *("text.checks", "text.spans", "text.tokens"),
    },
    "preparation": {
        *("callbacks", "checkpoints", "decision.evaluator", "decision.held_out", "decision.rule"),
        *("decision.splits", "decision.thresholds"),
        *("embeddings", "engine.engines", "engine.examples", "engine.own_network", "engine.weights"),
        *("fitted", "fitting.plan", "inputs", "labels.forms", "objective", "parameters"),
        *("prediction", "resolved", "text.numbering", "text.tokens", "text.vocabulary"),
    },
    "classifier": {
        *("callbacks", "checkpoints", "engine.engines", "engine.examples", "engine.observers"),
        *(
            "explain.explainer",
            "fitted",
            "fitting.learning",
            "inputs",
            "labels.classes",
            "preparation",
            "stream",
        ),
        *("teaching", "text.tokens"),
    },
    # its users
    "loading": {
        *("classifier", "linear.part", "prediction", "resolved", "storage.params", "storage.schema"),
    },
    "distributed": {"chunks", "classifier", "loading", "storage.folder"},
    "datasets._news_tags": {"frames", "labels.parsing"},
    "datasets": {"datasets._news_tags"},
    "metrics.outcome": {"labels.classes", "labels.matrix", "labels.parsing", "objective"},
    "metrics.ranking": set(),
    "metrics.measures": {"metrics.outcome", "metrics.ranking"},
    "metrics.scorers": {"metrics.measures", "metrics.outcome"},
    "metrics.tables": {"frames"},
    "metrics.evaluation": {"metrics.measures", "metrics.outcome", "metrics.tables", "objective"},
    "metrics": {"metrics.evaluation", "metrics.measures", "metrics.ranking", "metrics.scorers"},
    "model_selection.stratification": set(),
    "model_selection.splitters": {"labels.parsing", "model_selection.stratification"},
    "model_selection.baseline": {"inputs", "metrics.measures", "metrics.outcome", "text.checks"},
    "model_selection.comparison": {
        *("classifier", "labels.matrix", "labels.parsing", "metrics.scorers", "metrics.tables"),
        *("model_selection.baseline", "model_selection.splitters"),
    },
    "model_selection.wrapped": {"metrics.outcome"},
    "model_selection": {
        *("model_selection.baseline", "model_selection.comparison", "model_selection.splitters"),
        "model_selection.wrapped",
    },
    "plotting.display": set(),
    "plotting.history": {"plotting.display"},
    "plotting.label_scores": {"metrics", "plotting.display"},
    "plotting.threshold_curve": {"metrics", "plotting.display"},
    "plotting.reliability": {"metrics", "plotting.display"},
    "plotting.cooccurrence": {"labels.parsing", "metrics", "plotting.display"},
    "plotting.learning_curve": {"metrics", "model_selection", "plotting.display"},
    "plotting": {
        *("plotting.cooccurrence", "plotting.history", "plotting.label_scores"),
        *("plotting.learning_curve", "plotting.reliability", "plotting.threshold_curve"),
    },
    "report.svg": set(),
    "report.figures": {"metrics", "plotting", "report.svg"},
    "report.page": {
        *("explain", "explain.html", "metrics", "metrics.tables", "report.figures", "storage.files"),
    },
    "report": {"report.page"},
    "cli.progress": set(),
    "cli.console": {"cli.progress"},
    "cli.rows": {"tables.dialect", "tables.reader"},
    "cli.dataset": {"cli.console", "cli.rows"},
    "cli.options": {
        *("cli.console", "cli.dataset", "cli.rows", "tables.dialect", "tables.reader"),
    },
    "cli.training": {
        *("callbacks", "classifier", "cli.console", "cli.dataset", "cli.options", "cli.progress"),
        *("cli.rows", "tables.dialect", "labels.parsing", "metrics", "model_selection"),
    },
    "cli.prediction": {
        *("cli.console", "cli.options", "cli.progress", "cli.rows", "tables.dialect"),
        *("tables.reader", "tables.writer", "loading"),
    },
    "cli.evaluation": {"cli.console", "cli.options", "cli.rows", "loading", "metrics", "report"},
    "cli.demo": {
        *("classifier", "cli.console", "cli.dataset", "cli.training", "cli.options", "cli.rows"),
        *("tables.dialect", "datasets", "metrics", "model_selection"),
    },
    "cli": {
        "cli.console",
        "cli.demo",
        "cli.evaluation",
        "cli.training",
        "cli.options",
        "cli.prediction",
    },
    "__init__": {"classifier", "embeddings", "labels.parsing", "loading", "stream"},
    "__main__": {"cli"},
}

#: Nothing but other leaves imports them, or the classifier.
LEAVES = {
    *("loading", "datasets", "distributed", "cli", "metrics", "model_selection", "plotting", "report"),
    *("__init__", "__main__"),
}

#: Modules that need nothing but NumPy and the standard library.
NUMPY_ALONE = [
    "text.checks",
    "text.spool",
    "text.tokens",
    "labels.matrix",
    "engine.weights",
    "engine.losses",
    "storage.arrays",
    "storage.encoding",
    "storage.files",
    "storage.folder",
    "storage.params",
    "text.vector_files",
]
KERAS = {"tensorflow", "keras", "scikeras"}
USE_KERAS = {"engine.network", "engine.keras_engine", "engine.own_network"}
USE_NUMBA = {"jit"}
#: They need Numba as soon as they are imported, so others import them where they have much to do.
USE_JIT = {
    "engine.kernels",
    "engine.compiled",
    "linear.svm",
    "linear.training",
    "fitting.svms",
    "fitting.learning",
}
MOST_LINES = 300


def module_name(path):
    """Dotted name inside the package: engine/compiled.py is `engine.compiled`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def is_leaf(module):
    """Whether it is a leaf, or part of one."""
    return module.partition(".")[0] in LEAVES


PATHS = sorted(PACKAGE.rglob("*.py"))
TREES = {module_name(path): ast.parse(path.read_text("utf-8")) for path in PATHS}


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


def imported_modules(tree, **options):
    """Which modules of ours are imported; exported names count as the module that defines them."""
    modules = set()
    for name in imports(tree, **options):
        package, _, rest = name.partition(".")
        if package == "sktextcnn" and rest != "__version__":
            rest = sktextcnn._EXPORTS.get(rest, rest)
            while rest not in {*TREES, ""}:  # what is imported from a module
                rest = rest.rpartition(".")[0]
            modules.add(rest or "__init__")
    return modules


def imported_at_once(module):
    """Which modules of ours are imported by importing that one: not those that functions import."""
    return imported_modules(OUTSIDE_FUNCTIONS[module], type_checking=False)


def without_functions(tree):
    tree = copy.deepcopy(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            node.body = []
    return tree


OUTSIDE_FUNCTIONS = {module: without_functions(tree) for module, tree in TREES.items()}


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


def test_the_table_has_every_module_and_no_other():
    assert sorted(MODULES) == sorted(TREES)


def test_the_table_says_what_a_module_imports():
    found = {module: imported_modules(tree) - {module} for module, tree in TREES.items()}
    wrong = {module: names for module, names in found.items() if names != MODULES.get(module)}
    assert not wrong, f"imported, as against the table: {wrong}"


def test_imports_go_one_way():
    """Each module can be read after those that it imports: no circles."""
    read = set()
    for module, imported in MODULES.items():
        assert imported <= read, f"{module} imports from below: {imported - read}"
        read.add(module)


def test_only_leaves_import_leaves_and_the_classifier():
    for module, imported in MODULES.items():
        if not is_leaf(module):
            assert not any(name == "classifier" or is_leaf(name) for name in imported), module


def packages(tree):
    """Top-level names of all that is imported where the code runs."""
    return {name.split(".")[0] for name in imports(tree, type_checking=False)}


def test_keras_and_numba_are_imported_in_their_places_alone():
    assert {module for module, tree in TREES.items() if packages(tree) & KERAS} == USE_KERAS
    assert {module for module, tree in TREES.items() if "numba" in packages(tree)} == USE_NUMBA


def test_numba_and_keras_are_loaded_where_they_are_needed_alone():
    """Who imports a module that needs them is one of these modules, or imports it inside a function."""
    heavy = {*USE_KERAS, *USE_NUMBA, *USE_JIT}
    assert {module for module in TREES if imported_at_once(module) & heavy} <= heavy


def test_matplotlib_and_jinja_are_imported_by_functions_alone():
    for module, tree in OUTSIDE_FUNCTIONS.items():
        assert not packages(tree) & {"matplotlib", "jinja2", "markupsafe"}, module


def test_modules_with_kernels_have_their_place_in_the_table():
    found = {module for module in TREES if imported_at_once(module) & {"jit", *USE_JIT}}
    assert found == USE_JIT


def test_modules_that_need_numpy_alone():
    for module in NUMPY_ALONE:
        others = packages(TREES[module]) - set(sys.stdlib_module_names)
        assert others <= {"numpy", "sktextcnn"}, module


def test_no_module_for_odds_and_ends():
    words = {word for path in PATHS for word in path.stem.strip("_").split("_")}
    assert not words & {"util", "utils", "helper", "helpers", "misc", "common"}


def test_no_stage_receives_the_estimator():
    for module, tree in TREES.items():
        if module not in ("classifier", "callbacks") and not is_leaf(module):
            named = {node.arg: node.lineno for node in ast.walk(tree) if isinstance(node, ast.arg)}
            assert "estimator" not in named, (module, named["estimator"])


def test_modules_are_short():
    for path in PATHS:
        source = path.read_text("utf-8")
        # Counting takes time, and most modules have fewer lines of any kind.
        if source.count("\n") > MOST_LINES:
            assert count_code_lines(source) <= MOST_LINES, path


# -- the package from outside ------------------------------------------------------------------------


def test_exported_names_can_be_had():
    assert sorted(sktextcnn.__all__) == sorted([*sktextcnn._EXPORTS, "__version__"])
    for name in sktextcnn.__all__:
        assert getattr(sktextcnn, name) is not None
    assert dir(sktextcnn) == sorted(sktextcnn.__all__)


def test_other_names_cannot():
    with pytest.raises(AttributeError, match="module 'sktextcnn' has no attribute 'TextCnn'"):
        sktextcnn.TextCnn  # noqa: B018


# Runs in a fresh process: prints what each step of its argument changed, and what was loaded after it.
STEPS = """
import json, logging, os, sys, warnings

def look():
    loggers = {n: x.level for n, x in logging.root.manager.loggerDict.items() if hasattr(x, "level")}
    return {
        "environment": dict(os.environ),
        "filters": repr(warnings.filters),
        "levels": {name: level for name, level in loggers.items() if level},
        "root level": [logging.root.level, logging.root.manager.disable, len(logging.root.handlers)],
    }

found = {}
for name, code in json.loads(sys.argv[1]).items():
    before = look()
    exec(code, {})
    after = look()
    changed = [key for key in before if before[key] != after[key]]
    found[name] = {"changed": changed, "loaded": sorted({n.split(".")[0] for n in sys.modules})}
print(json.dumps(found))
"""

HEAVY = {*KERAS, "numba", "llvmlite"}


def run_steps(**steps):
    return json.loads(run_python(STEPS, json.dumps(steps)).stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """One process that does more and more: what it loads late, it has not loaded before."""
    folder = str(tmp_path_factory.mktemp("layout") / "model")
    tiny(linear=True, validation=0.1).fit(TEXTS, TAGS).save(folder)
    return run_steps(
        package="import sktextcnn",
        # scikit-learn changes warning filters itself
        sklearn="import sklearn.metrics, sklearn.model_selection, sklearn.preprocessing, joblib",
        use="from sktextcnn import TextCNNClassifier, as_label_matrix, group_rows\n"
        "import sktextcnn.engine.inference, sktextcnn.decision.thresholds\n"
        "from sktextcnn.datasets import load_news_tags\n"
        "load_news_tags(); repr(TextCNNClassifier(filters=8)); as_label_matrix([['a'], ['b']])",
        tag=f"from sktextcnn import load\nclf = load({folder!r})\n"
        "clf.predict(['the match']), clf.predict_labels(['the match']), clf.predict_proba(['a soup'])\n"
        "clf.explain(['the match'])",
        numba="import numba",
        fit=f"from sktextcnn import TextCNNClassifier\ntexts, tags = {TEXTS * 4!r}, {TAGS * 4!r}\n"
        "clf = TextCNNClassifier(min_df=1, filters=4, epochs=1, n_jobs=2)\n"
        "clf.fit(texts, tags).predict(texts); clf.score(texts, tags); clf.set_params(linear=False)\n"
        "clf.fit(texts, tags).partial_fit(texts, tags)",
    )


def test_importing_the_package_loads_and_changes_nothing(found):
    assert found["package"]["changed"] == []
    assert not {*found["package"]["loaded"]} & {*HEAVY, "sklearn", "scipy", "numpy", "pandas"}


@pytest.mark.parametrize("step", ["use", "tag"])
def test_using_the_package_without_fit_loads_neither_tensorflow_nor_numba(found, step):
    assert found[step]["changed"] == []
    assert "sklearn" in found[step]["loaded"]
    assert not {*found[step]["loaded"]} & HEAVY


def test_a_fit_loads_numba_and_no_tensorflow(found):
    assert found["fit"]["changed"] == []
    assert "numba" in found["fit"]["loaded"]
    assert not {*found["fit"]["loaded"]} & KERAS


@pytest.mark.slow
def test_importing_the_network_changes_nothing_that_tensorflow_does_not():
    found = run_steps(
        tensorflow="import tensorflow, keras, scikeras.wrappers, sklearn.metrics",
        network="import sktextcnn.engine.network",
    )
    assert found["network"]["changed"] == []
    assert {*found["network"]["loaded"]} >= KERAS
