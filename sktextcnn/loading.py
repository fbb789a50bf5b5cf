"""A folder -> a fitted classifier. This module is a leaf; nothing imports it."""

from __future__ import annotations

import os
from typing import Any

from sktextcnn.classifier import TextCNNClassifier
from sktextcnn.linear.part import LinearPart
from sktextcnn.prediction import NEEDED
from sktextcnn.resolved import Resolved
from sktextcnn.storage.params import join_params
from sktextcnn.storage.schema import read_model


def load(path: str | os.PathLike, **callables: Any) -> TextCNNClassifier:
    """Read a classifier that `TextCNNClassifier.save` wrote.

    No code is run that the folder could bring along: it holds JSON and arrays, not pickles. All of it is
    looked at before anything is built: checksums, which tell damage but do not protect against somebody
    who changes them as well; and every field, type and shape. Links and special files are refused. Large
    arrays are mapped into memory, so do not copy other files over a model that is in use; `save` with
    ``overwrite=True`` is safe.

    Parameters
    ----------
    path : str or path
        The folder.
    **callables : object
        Values of parameters that could not be saved. `analyzer`, `tokenizer` and `strip_accents` are
        needed if they were functions; others have their defaults if they are not passed.

    Returns
    -------
    TextCNNClassifier

    Raises
    ------
    FileNotFoundError
        If there is no model, or a part of it is missing.
    ValueError
        If a function is needed and not passed, the folder is damaged, or a later version wrote it.
    TypeError
        If a parameter is passed that was saved with the model.
    OSError
        If files cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import sktextcnn
    >>> texts, tags = ["a goal", "a vote", "a match"], [["sport"], ["politics"], ["sport"]]
    >>> clf = sktextcnn.TextCNNClassifier(min_df=1, epochs=1).fit(texts, tags)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clf.save(os.path.join(folder, "model"))
    ...     loaded = sktextcnn.load(os.path.join(folder, "model"))
    >>> bool((loaded.predict_proba(texts) == clf.predict_proba(texts)).all())
    True
    """
    model = read_model(path)
    known, fitted = TextCNNClassifier().get_params(), model.fitted
    try:
        params = join_params(model.params, model.left_out, callables, known=known, needed=NEEDED)
        classifier = TextCNNClassifier(**params)
        classifier._check_can_predict(len(fitted["classes_"]), multilabel=fitted["multilabel_"])
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error
    arrays = fitted["linear_part_"]
    linear_part = None if arrays is None else LinearPart.from_arrays(arrays)
    resolved = Resolved(**fitted["resolved_"])
    classifier.__dict__.update({**fitted, "linear_part_": linear_part, "resolved_": resolved})
    return classifier
