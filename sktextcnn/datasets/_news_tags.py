"""Loader of the embedded corpus."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from sklearn.utils import Bunch

from sktextcnn.frames import import_pandas
from sktextcnn.labels.parsing import as_label_matrix

DESCRIPTION = """\
News tags
---------

722 short news-like sentences in English, written for this package, with one to four of twelve tags
each: Business, Child, Data Science, Environment, Food, Health, Politics, Reporter, Science, Sport,
Technology, Travel. The people, places and companies in them are invented.

============================  =====
Texts                           722
Tags                             12
Tags per text, mean            1.85
Texts per tag               103-121
============================  =====
"""


def load_news_tags(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the embedded corpus of news-like sentences with several tags each.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects: texts as a Series, tags as a DataFrame of 0 and 1.

    Returns
    -------
    data : Bunch
        With the attributes ``data`` (list of 722 str, or Series), ``target`` (`LabelMatrix` of shape
        (722, 12), or DataFrame), ``tags`` (list of lists of str, the same as names),
        ``target_names`` (list of str), ``DESCR`` (str) and, with `as_frame`, ``frame`` (DataFrame of
        texts and targets).
    (data, target) : tuple
        If `return_X_y` is true.

    Raises
    ------
    ImportError
        If `as_frame` is true and pandas is not installed.

    Examples
    --------
    >>> from sktextcnn.datasets import load_news_tags
    >>> news = load_news_tags()
    >>> len(news.data), news.target.shape
    (722, (722, 12))
    >>> news.target_names[:3]
    ['Business', 'Child', 'Data Science']
    """
    lines = files("sktextcnn.datasets").joinpath("data/news_tags.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in lines.splitlines()]
    texts: Any = [row["text"] for row in rows]
    tags = [row["labels"] for row in rows]
    target: Any = as_label_matrix(tags)
    names = target.label_names.tolist()
    bunch = Bunch(data=texts, target=target, tags=tags, target_names=names, DESCR=DESCRIPTION)
    if as_frame:
        pd = import_pandas("as_frame=True")
        bunch.data = pd.Series(texts, name="text")
        bunch.target = pd.DataFrame(target, columns=names)
        bunch.frame = pd.concat([bunch.data, bunch.target], axis=1)
    return (bunch.data, bunch.target) if return_X_y else bunch
