"""A classifier and texts with known labels -> an HTML file that needs nothing beside it.

Whatever comes from the user, texts, labels and the title, is data: Jinja2 escapes it, the SVGs are
written by an XML library, and the page tells the browser to run no other script than the one that sorts
its table.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from sktextcnn.explain import highlight
from sktextcnn.explain.html import AGAINST, FOR
from sktextcnn.metrics import Evaluation, evaluate
from sktextcnn.metrics.tables import measures_in_words
from sktextcnn.storage.files import new_file

#: Mistakes of each kind on the page.
N_MISTAKES = 10


def write_report(
    estimator: Any, X: Any, y: Any, path: str | os.PathLike, *, title: str | None = None
) -> None:
    """Evaluate a fitted classifier and write what comes out as an HTML page.

    The page holds the overall measures, pictures, a table of the labels that can be sorted, and the
    worst mistakes with the words that led to them. It is a single file that needs no network, for wide
    and narrow, light and dark screens. Its only script sorts the table.

    Parameters
    ----------
    estimator : classifier
        Fitted: a `TextCNNClassifier`, a search for the best one, or anything else that
        `sktextcnn.metrics.evaluate` takes. Mistakes are shown of classifiers with `explain_errors`.
    X : sequence of str of length n
        Texts that it has not learned from.
    y : labels, label sets or 0/1 matrix of n rows
        Their labels, in any form that `fit` takes.
    path : str or path
        The file. One that is there is replaced when the new one is complete.
    title : str or None, default=None
        Heading of the page; None: "Evaluation of" and the name of the classifier's class.

    Raises
    ------
    ImportError
        If Jinja2 or matplotlib is not installed.
    FileNotFoundError
        If the folder of `path` does not exist.
    ValueError
        If `path` is something else than a file; or as from `sktextcnn.metrics.evaluate`.
    OSError
        If writing fails.

    See Also
    --------
    sktextcnn.metrics.evaluate : The numbers alone.

    Examples
    --------
    >>> from sktextcnn import TextCNNClassifier
    >>> from sktextcnn.datasets import load_news_tags
    >>> from sktextcnn.report import write_report
    >>> texts, Y = load_news_tags(return_X_y=True)
    >>> clf = TextCNNClassifier(epochs=3, random_state=0).fit(texts[:100], Y[:100])
    >>> write_report(clf, texts[540:], Y[540:], "report.html")  # doctest: +SKIP
    """
    _check_extras()
    path = _check_path(Path(path))
    estimator = getattr(estimator, "best_estimator_", estimator)  # of a search
    evaluation = evaluate(estimator, X, y)
    from sktextcnn.report.figures import draw_pictures

    page = render(
        title=f"Evaluation of {type(estimator).__name__}" if title is None else str(title),
        evaluation=evaluation,
        pictures=draw_pictures(estimator, evaluation),
        mistakes=_find_mistakes(estimator, X, y, evaluation.multilabel),
    )
    _write_whole(path, page)


def render(*, title: str, evaluation: Evaluation, pictures: list, mistakes: list | None) -> str:
    """Return the page.

    Parameters
    ----------
    title : str
    evaluation : Evaluation
    pictures : list of Picture
    mistakes : list of Mistake or None
        None: the classifier cannot explain itself. With one label per text, only the false positives: a
        wrong label is the miss of another one as well, and stands on the page once.

    Returns
    -------
    str
        HTML.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_read),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    script = _read("page.js")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        title=title,
        style=Markup(_read("page.css")),
        for_color=FOR[0],
        against_color=AGAINST[0],
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        evaluation=evaluation,
        measures=measures_in_words(evaluation.scores),
        rows=_rows_of(evaluation),
        remarks=_remarks_on(evaluation),
        pictures=pictures,
        mistakes=mistakes,
        true_label=lambda mistake: evaluation.labels[int(evaluation.truth[mistake.row].argmax())],
        highlight=lambda explanation: Markup(highlight(explanation.text, explanation.evidence)),
    )


def _read(name: str) -> str:
    return files("sktextcnn.report").joinpath(name).read_text("utf-8")


def _rows_of(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return what the table says of each label, those with the most texts first."""
    none = [None] * len(evaluation.labels)
    columns = {
        "label": [*map(str, evaluation.labels)],
        "support": evaluation.support.tolist(),
        "precision": evaluation.precision.tolist(),
        "recall": evaluation.recall.tolist(),
        "f1": evaluation.f1.tolist(),
        "threshold": none if evaluation.thresholds is None else evaluation.thresholds.tolist(),
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return sorted(rows, key=lambda row: -row["support"])


def _remarks_on(evaluation: Evaluation) -> list[str]:
    """Return what one has to know to read the numbers."""
    remarks = []
    n_absent = int((evaluation.support == 0).sum())
    if not evaluation.truth.any():
        remarks.append("None of these texts carries a label, so precision, recall and F1 say nothing.")
    elif n_absent:
        labels = "1 label is" if n_absent == 1 else f"{n_absent} labels are"
        remarks.append(f"{labels} carried by none of these texts: F1 is 0 there, and says nothing.")
    if not evaluation.predicted.any():
        remarks.append("No label is predicted for any of these texts.")
    if evaluation.thresholds is not None and np.isnan(evaluation.thresholds).any():
        n = int(np.isnan(evaluation.thresholds).sum())
        labels = "1 label of these texts was" if n == 1 else f"{n} labels of these texts were"
        remarks.append(f"{labels} not seen in training, and can only be missed.")
    return remarks


def _find_mistakes(estimator: Any, X: Any, y: Any, multilabel: bool) -> list | None:
    """Return the worst mistakes for `render`; None if the classifier cannot say how they came about."""
    weights = getattr(estimator, "weights_", {})
    is_closed = "network" in weights and "linear_kernel" not in weights  # a network of one's own, alone
    if is_closed or not hasattr(estimator, "explain_errors"):
        return None
    mistakes = estimator.explain_errors(X, y, n=N_MISTAKES)
    return [one for one in mistakes if multilabel or one.kind == "false positive"]


def _check_extras() -> None:
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"A report needs {error.name}, which is not installed: pip install 'sktextcnn[report]'."
        ) from error


def _check_path(path: Path) -> Path:
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is there and no file; expected the name of a file to write.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    return path


def _write_whole(path: Path, page: str) -> None:
    """Write a file beside the one that is meant, and put it into its place when it is complete."""
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with new_file(new) as file:
            file.write(page.encode("utf-8", "replace"))  # half of a surrogate pair cannot be written
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
