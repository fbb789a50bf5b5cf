"""The report as a file: what is in it, what is not, and that it is written whole or not at all."""

from __future__ import annotations

import os
import re
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sktextcnn import as_label_matrix
from tests import strategies
from tests.evaluations import evaluation_of, random_evaluation
from tests.examples import TAGS, TEXTS, TOPICS, eager, tiny
from tests.pages import ATTACKS, Page, check_nothing_got_in

pytest.importorskip("jinja2", reason="the extra report is not installed")
pytest.importorskip("matplotlib", reason="the extra report is not installed")

from sktextcnn.explain import Evidence, Explanation, Mistake
from sktextcnn.report import write_report
from sktextcnn.report.page import render


@pytest.fixture(scope="module")
def clf():
    return eager().fit(TEXTS, TAGS)


def read(path):
    return Page(path.read_text("utf-8"))


def mistake_of(text, label):
    evidence = [Evidence(text[:1], 0, 1, 1.0, 0, len(text))] if text else []
    return Mistake(
        3, text, label, "miss", Explanation(label, False, 0.2, 0.5, -1.0, -2.0, evidence, text)
    )


def page_of(title, labels, texts):
    draw = np.random.default_rng(0)
    truth, predicted = draw.integers(0, 2, (2, 4, len(labels)))
    evaluation = evaluation_of(truth, predicted, labels=labels, thresholds=[0.5] * len(labels))
    mistakes = [mistake_of(text, labels[0]) for text in texts]
    return render(title=title, evaluation=evaluation, pictures=[], mistakes=mistakes)


ELEMENTS = Page(page_of("title", ["a", "b"], ["text"])).names()


@given(strategies.texts(), strategies.label_names(), strategies.corpora(max_size=3))
@example(ATTACKS[0], ATTACKS, ATTACKS)
def test_what_users_give_is_text_and_nothing_else(title, labels, texts):
    page = Page(page_of(title, labels, texts))
    assert page.names() <= ELEMENTS
    check_nothing_got_in(page)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1))
def test_title_label_and_text_read_as_they_were_given(text):
    page = Page(page_of(text, [text], [text]))
    assert page.text_of("title") == text
    assert page.text_of("h1") == text
    cells = [
        attributes["data-value"]
        for name, attributes in page.elements
        if name == "th" and "data-value" in attributes
    ]
    assert cells == [text]
    assert page.text_of("span").count(text) + page.text_of("mark").count(text) >= 1


def test_report_holds_everything(clf, tmp_path):
    y = [["food"]] * 11 + [["sport"]]
    write_report(clf, TEXTS, y, tmp_path / "report.html", title="Mine")
    page = read(tmp_path / "report.html")
    assert page.text_of("title") == page.text_of("h1") == "Mine"
    assert [name for name, _ in page.elements].count("figure") == 5
    headings = "Overall", "Pictures", "Labels", "Mistakes"
    assert page.text_of("h2") == "".join(headings)
    assert "mark" in page.names()
    assert "f1 micro" in page.text_of("dt")
    assert "hamming loss" in page.text_of("dt")
    assert "neg" not in page.text_of("dt")
    assert not {name for name in page.attributes() if name in ("src", "srcset")}
    links = [a["href"] for _, a in page.elements if "href" in a]
    assert all(link.startswith("#") for link in links)
    write_report(clf, TEXTS, y, tmp_path / "again.html", title="Mine")
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "report.html").read_bytes()


@pytest.mark.parametrize(
    ("texts", "y"),
    [
        (TEXTS[:1], TAGS[:1]),
        ([""], [[]]),
        (TEXTS, [["unseen"]] * 12),
        (["\ud800 <b>", *TEXTS[1:]], TAGS),
    ],
    ids=["one text", "no token and no label", "an unseen label", "half a pair"],
)
def test_reports_of_little_say_so(clf, tmp_path, texts, y):
    write_report(clf, texts, y, tmp_path / "report.html")
    page = read(tmp_path / "report.html")
    check_nothing_got_in(page)
    assert f"{len(texts)} text" in page.text_of("p")


def test_remarks_tell_what_numbers_do_not(tmp_path):
    def remarks(evaluation):
        return Page(render(title="", evaluation=evaluation, pictures=[], mistakes=[])).text_of("p")

    nothing = np.zeros((3, 2), int)
    assert "None of these texts carries a label" in remarks(evaluation_of(nothing, nothing))
    assert "No label is predicted for any" in remarks(evaluation_of(nothing + 1, nothing))
    assert "1 label is carried by none" in remarks(evaluation_of([[1, 0]], [[1, 0]]))
    unseen = random_evaluation(thresholds=[0.5, 0.5, 0.5, np.nan, np.nan])
    assert "2 labels of these texts were not seen in training" in remarks(unseen)


@pytest.mark.parametrize("y", [TOPICS, [topic == "sport" for topic in TOPICS]], ids=["3 classes", "2"])
def test_report_of_one_label_per_text(tmp_path, y):
    write_report(tiny().fit(TEXTS, y), TEXTS, y, tmp_path / "report.html")
    page = read(tmp_path / "report.html")
    assert "labels per text" not in page.text_of("p")
    assert "Threshold" not in page.text_of("h3")
    assert "accuracy" in page.text_of("dt")


def test_a_wrong_label_is_one_mistake_where_a_text_has_one(clf, monkeypatch, tmp_path):
    monkeypatch.setattr("sktextcnn.report.figures.draw_pictures", lambda *given: [])
    one_each = eager().fit(TEXTS, TOPICS)
    predicted = one_each.predict(TEXTS).tolist()
    truth = ["food" if label != "food" else "unseen" for label in predicted[:4]] + predicted[4:]
    write_report(one_each, TEXTS, truth, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    assert html.count("<article>") == 4
    for row in range(4):
        assert html.count(f"Row {row} (from 0), probability") == 1
    shown = sorted(f"{truth[row]}, predicted {predicted[row]}" for row in range(4))
    headings = re.findall("<article>\n<h3>(.*)</h3>", html)
    assert sorted(re.sub("<.*?>", "", heading) for heading in headings) == shown
    write_report(clf, TEXTS, [["food"]] * 12, tmp_path / "report.html")
    assert "predicted</span>" not in (tmp_path / "report.html").read_text("utf-8")


def test_report_of_a_classifier_of_another_kind(tmp_path):
    other = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, TOPICS)
    write_report(other, TEXTS, TOPICS, tmp_path / "report.html")
    page = read(tmp_path / "report.html")
    assert page.text_of("h1") == "Evaluation of Pipeline"
    assert "cannot say which words" in page.text_of("p")


def test_report_of_a_search_is_that_of_its_best_classifier(tmp_path, monkeypatch):
    monkeypatch.setattr("sktextcnn.report.figures.draw_pictures", lambda *given: [])
    search = GridSearchCV(tiny(), {"filters": [2, 3]}, cv=2, scoring="f1_micro")
    write_report(search.fit(TEXTS, as_label_matrix(TAGS)), TEXTS, TAGS, tmp_path / "report.html")
    page = read(tmp_path / "report.html")
    assert page.text_of("h1") == "Evaluation of TextCNNClassifier"
    assert "cannot say which words" not in page.text_of("p")


@pytest.mark.slow
def test_report_of_a_network_of_ones_own_has_no_words_to_show(tmp_path, monkeypatch):
    import keras

    def sums_of_vectors(n_tokens, n_labels):
        ids = keras.Input((None,), dtype="int32")
        vectors = keras.layers.Embedding(n_tokens, n_labels)(ids)
        return keras.Model(ids, keras.layers.GlobalMaxPooling1D()(vectors))

    monkeypatch.setattr("sktextcnn.report.figures.draw_pictures", lambda *given: [])
    write_report(tiny(network=sums_of_vectors).fit(TEXTS, TAGS), TEXTS, TAGS, tmp_path / "report.html")
    assert "cannot say which words" in read(tmp_path / "report.html").text_of("p")


def test_a_report_that_fails_leaves_what_was_there(clf, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("sktextcnn.report.figures.draw_pictures", lambda *given: [])  # takes a second

    def fail(*args):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            write_report(clf, TEXTS, TAGS, path)
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]
    write_report(clf, TEXTS, TAGS, path)
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [*tmp_path.iterdir()] == [path]


def test_paths_are_looked_at_first(tmp_path):
    with pytest.raises(ValueError, match="is there and no file"):
        write_report(None, None, None, tmp_path)
    with pytest.raises(FileNotFoundError, match="absent does not exist; make it first"):
        write_report(None, None, None, tmp_path / "absent" / "report.html")


@pytest.mark.parametrize("name", ["jinja2", "matplotlib"])
def test_without_an_extra_the_message_names_it(name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"{name}.* pip install 'sktextcnn\[report\]'"):
        write_report(None, None, None, tmp_path / "report.html")
    assert not [*tmp_path.iterdir()]
