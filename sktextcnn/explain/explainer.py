"""What a fitted classifier says of its decisions: why, and which were the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktextcnn.engine.engines import open_network
from sktextcnn.explain.evidence import Evidence, name_evidence, rank_ngrams
from sktextcnn.explain.logits import explain_logits
from sktextcnn.explain.mistakes import WrongDecision, find_wrong, keep_worst
from sktextcnn.explain.records import Explanation, ExplanationList, Explanations, Mistake, NgramMeans
from sktextcnn.labels.classes import find_labels
from sktextcnn.labels.parsing import check_in_common, count_unseen
from sktextcnn.objective import check_kind
from sktextcnn.prediction import TEXTS_PER_CHUNK, Predictor
from sktextcnn.text.checks import check_texts, read_chunks
from sktextcnn.text.spans import find_spans
from sktextcnn.text.tokens import TokenIds, encode


class Explainer(Predictor):
    """The methods of `TextCNNClassifier` that say why."""

    def explain(self, X: Any, *, labels: Any = None) -> ExplanationList[Explanations]:
        """Say which n-grams of each text spoke for a label, and how strongly.

        A label's logit is a constant plus what each n-gram adds: those that the filters of the network
        found, and those of the linear part. This is how the logit comes about, not an estimate of it.
        A `network` of one's own is not taken apart: what it says is part of the constant, and only the
        linear part is explained.

        Parameters
        ----------
        X : 1-D sequence of str of length n, a column of shape (n, 1), or an iterator
            Texts.
        labels : list of labels, one label, or None, default=None
            Those to explain, the same for every text; None: of each text the predicted ones.

        Returns
        -------
        ExplanationList of Explanations, of length n
            A list. For each text it has another one, with its ``text``, of one
            `sktextcnn.explain.Explanation` for each label: its ``decision``, ``probability``,
            ``threshold`` and ``logit``, and the ``base`` and ``evidence`` that the logit is the sum of.
            `print` shows them as sums, notebooks with highlighted words.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts, one of `labels` is not among `classes_`, or there is a
            `network` of one's own and no linear part beside it.

        Notes
        -----
        Each piece of evidence is an n-gram, with its position among the tokens (``start``, ``stop``) and
        among the characters of the text as it was passed (``char_start``, ``char_stop``). The latter are
        None where they cannot be known: for a `tokenizer`, or an `analyzer` that is a function, if its
        tokens, with white space between them, are not the text again; and for texts that a
        `strip_accents` that is a function changes.

        Examples
        --------
        >>> from sktextcnn import TextCNNClassifier
        >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
        >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
        >>> clf = TextCNNClassifier(epochs=30, random_state=0).fit(texts, tags)
        >>> (explanation,) = clf.explain(["Goal of the year"])[0]
        >>> explanation.label, explanation.decision, "goal" in explanation.evidence[0].ngram
        ('sport', True, True)
        """
        check_is_fitted(self, "weights_")
        columns = None if labels is None else find_labels(labels, self.classes_)
        explained: ExplanationList[Explanations] = ExplanationList()
        for texts in read_chunks(X, TEXTS_PER_CHUNK):
            explained += self._explain(texts, None if columns is None else [columns] * len(texts))
        return explained

    def _explain(self, texts: list[str], columns: Sequence[np.ndarray] | None) -> Iterator[Explanations]:
        """Yield explanations of each text's labels at `columns`, or of the predicted ones."""
        tokens, ids = self._tokenize(texts)
        logits = self._logits_of(ids, open_network(self.weights_))
        rule, tokenize, names = self._rule(), self._tokenizer(), self.classes_.tolist()
        decisions, probabilities = rule.decide(logits), rule.to_probabilities(logits)
        if columns is None:
            columns = [np.flatnonzero(row) for row in decisions]
        parts = explain_logits(self.weights_, self.linear_part_, ids, columns)
        for row, (text, own, part) in enumerate(zip(texts, columns, parts, strict=True)):
            base, positions, contributions = part
            spans = find_spans(text, tokens[text], tokenize) if len(own) else None
            evidence = name_evidence(positions, contributions, tokens[text], self._separator(), spans)
            yield Explanations(
                text,
                [
                    Explanation(
                        label=names[column],
                        decision=bool(decisions[row, column]),
                        probability=float(probabilities[row, column]),
                        threshold=float(rule.thresholds[column]) if rule.multilabel else None,
                        logit=float(base[i] + contributions[:, i].sum()),
                        base=float(base[i]),
                        evidence=evidence[i],
                        text=text,
                    )
                    for i, column in enumerate(own)
                ],
            )

    def _tokenize(self, texts: list[str]) -> tuple[dict[str, Sequence[str]], TokenIds]:
        tokenize = self._tokenizer()
        tokens = {text: tokenize(text) for text in dict.fromkeys(texts)}
        ids = encode(texts, tokens.__getitem__, self.vocabulary_, keep_unknown=True)
        return tokens, ids.truncated(self.max_length_)

    def _separator(self) -> str:
        """Return what stands between the tokens of an n-gram."""
        return "" if self.analyzer == "char" else " "

    def explain_errors(
        self, X: Any, y: Any, *, labels: Any = None, n: int = 10
    ) -> ExplanationList[Mistake]:
        """Return the worst false positives and misses, with what spoke for and against the label.

        Parameters
        ----------
        X : 1-D sequence of str of length m, or a column of shape (m, 1)
            Texts, best ones that were not trained on.
        y : labels, label sets or 0/1 matrix of m rows
            True labels in any form that `fit` takes. Labels that were not seen in training are left out.
        labels : list of labels, one label, or None, default=None
            Those to look at; None: all.
        n : int, default=10
            How many false positives, and how many misses, at most.

        Returns
        -------
        ExplanationList of Mistake
            A list of `sktextcnn.explain.Mistake`, with ``row``, ``text``, ``label``, ``kind`` and
            ``explanation``, the one whose probability is furthest on the wrong side of the threshold
            first. With one label per text, a wrong one is a false positive of that label and a miss of
            the true one, and the distance between their probabilities counts.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            As of `score` and `explain`; or if `n` is no positive int.

        Examples
        --------
        >>> from sktextcnn import TextCNNClassifier
        >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
        >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
        >>> clf = TextCNNClassifier(epochs=30, random_state=0).fit(texts, tags)
        >>> for mistake in clf.explain_errors(["a late goal", "tax talks"], [["politics"], []]):
        ...     print(mistake.row, mistake.label, mistake.kind)
        0 sport false positive
        0 politics miss
        1 politics false positive
        """
        check_is_fitted(self, "weights_")
        _check_number("n", n)
        texts = check_texts(X)
        given, _ = count_unseen(y, self.classes_)
        check_kind(given.multilabel, self.multilabel_)
        check_in_common(y, self.classes_)
        if len(texts) != given.matrix.shape[0]:
            raise ValueError(
                f"X has {len(texts)} texts, but y has {given.matrix.shape[0]} rows; expected as many."
            )
        of_interest = np.ones(len(self.classes_), bool)
        if labels is not None:
            of_interest[:] = False
            of_interest[find_labels(labels, self.classes_)] = True
        found: list[WrongDecision] = []
        first, rule = 0, self._rule()
        with closing(self._score_chunks(texts, lambda logits: logits)) as parts:
            for logits in parts:
                truth = given.matrix[first : first + len(logits)].toarray()
                wrong = find_wrong(logits, truth, rule, n, of_interest)
                found = keep_worst([*found, *(one._replace(row=one.row + first) for one in wrong)], n)
                first += len(logits)
        columns = [np.array([one.column]) for one in found]
        explained = self._explain([texts[one.row] for one in found], columns) if found else []
        return ExplanationList(
            Mistake(one.row, texts[one.row], explanation.label, one.kind, explanation)
            for one, (explanation,) in zip(found, explained, strict=True)
        )

    def top_ngrams(self, X: Any, label: Any, n: int = 20, *, min_texts: int = 2) -> NgramMeans:
        """Return the n-grams that speak for a label most strongly.

        Where there are few, the last ones may speak against it: their contribution is negative.

        Parameters
        ----------
        X : 1-D sequence of str, a column of shape (n_texts, 1), or an iterator
            Texts.
        label : label
            One of `classes_`.
        n : int, default=20
            How many n-grams.
        min_texts : int, default=2
            Leave out what counts in fewer of the texts.

        Returns
        -------
        NgramMeans
            A list of `sktextcnn.explain.NgramMean`, with ``ngram``, ``contribution`` (the mean of what
            it adds to the label's logit, over the texts in which it counts) and ``n_texts``; the highest
            first.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts, `label` is not among `classes_`, or `n` or `min_texts` is
            no positive int.

        Examples
        --------
        >>> from sktextcnn import TextCNNClassifier
        >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
        >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
        >>> clf = TextCNNClassifier(epochs=30, random_state=0).fit(texts, tags)
        >>> any("goal" in ngram for ngram, mean, n_texts in clf.top_ngrams(texts, "sport", n=3))
        True
        """
        check_is_fitted(self, "weights_")
        _check_number("n", n)
        _check_number("min_texts", min_texts)
        evidence = self._evidence_for(X, find_labels([label], self.classes_))
        return NgramMeans(rank_ngrams(evidence, min_texts)[:n])

    def _evidence_for(self, X: Any, column: np.ndarray) -> Iterator[list[Evidence]]:
        for texts in read_chunks(X, TEXTS_PER_CHUNK):
            tokens, ids = self._tokenize(texts)
            parts = explain_logits(self.weights_, self.linear_part_, ids, [column] * len(texts))
            for text, (_, positions, contributions) in zip(texts, parts, strict=True):
                yield from name_evidence(positions, contributions, tokens[text], self._separator())


def _check_number(name: str, value: Any) -> None:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}={value!r}; expected an int of at least 1.")
