"""What a fitted classifier does: scores, decisions, labels, and export."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sktextcnn.chunks import best_labels, stack_rows, stack_sparse
from sktextcnn.decision.evaluator import Evaluator
from sktextcnn.decision.rule import DecisionRule
from sktextcnn.engine import inference
from sktextcnn.engine.engines import open_network
from sktextcnn.fitted import FITTED
from sktextcnn.inputs import read_input
from sktextcnn.labels.parsing import check_in_common, count_unseen
from sktextcnn.linear.part import LinearPart
from sktextcnn.objective import check_kind, check_sample_weight, is_exclusive
from sktextcnn.parameters import Parameters
from sktextcnn.resolved import is_option
from sktextcnn.storage.params import split_params
from sktextcnn.storage.schema import SavedModel, write_model
from sktextcnn.text.checks import check_texts, read_chunks
from sktextcnn.text.tokens import FIRST_TOKEN, Encoder, TokenIds, build_tokenizer
from sktextcnn.threads import Team, one_blas_thread

T = TypeVar("T")

if TYPE_CHECKING:
    import keras
    import onnx


#: Texts, their characters, and their scores that are in work at the same time: beyond a few such
#: chunks, prediction holds only results.
TEXTS_PER_CHUNK, CHARACTERS_PER_CHUNK, SCORES_PER_CHUNK = 8192, 1_000_000, 1_000_000

#: Parameters that prediction cannot do without, where they are functions.
NEEDED = ("analyzer", "tokenizer", "strip_accents")


class Predictor(ClassifierMixin, Parameters):
    """The methods of `TextCNNClassifier` that need no more than parameters and fitted attributes."""

    vocabulary_: dict[str, int]
    classes_: np.ndarray
    multilabel_: bool
    sparse_output_: bool
    loss_: str
    max_length_: int | None
    weights_: dict[str, np.ndarray]
    linear_part_: LinearPart | None
    thresholds_: np.ndarray

    def _tokenizer(self) -> Callable[[str], Sequence[str]]:
        return build_tokenizer(
            analyzer=self.analyzer,
            lowercase=self.lowercase,
            strip_accents=self.strip_accents,
            token_pattern=self.token_pattern,
            tokenizer=self.tokenizer,
        )

    def _score_chunks(self, X: Any, finish: Callable[[np.ndarray], T]) -> Generator[T, None, None]:
        """Yield what `finish` makes of the logits of each chunk of texts."""
        check_is_fitted(self, "weights_")
        chunks = self._read(X)
        first = next(chunks)
        if len(first.flat) < inference.FEW_TOKENS:
            network = open_network(self.weights_)
            yield from (finish(self._logits_of(ids, network)) for ids in chain([first], chunks))
            return
        # BLAS with threads of its own waits long for cores that others use, our threads among them.
        with one_blas_thread() as n_threads, Team(n_threads) as team:
            network = open_network(self.weights_, team)
            yield from (finish(self._logits_of(ids, network)) for ids in chain([first], chunks))

    def _read(self, X: Any) -> Iterator[TokenIds]:
        """Yield texts as token ids, chunk by chunk."""
        keep_unknown = self.linear_part_ is not None and self.linear_part_.counts_characters
        encoder = Encoder(self._tokenizer(), self.vocabulary_, keep_unknown=keep_unknown)
        size = max(1, min(TEXTS_PER_CHUNK, SCORES_PER_CHUNK // len(self.classes_)))
        for texts in read_chunks(X, size, CHARACTERS_PER_CHUNK):
            yield encoder(texts).truncated(self.max_length_)

    def _logits_of(self, ids: TokenIds, network: Callable[[TokenIds], np.ndarray]) -> np.ndarray:
        logits = network(ids.known(len(self.vocabulary_) + FIRST_TOKEN))
        return logits if self.linear_part_ is None else self.linear_part_.add_to(logits, ids)

    def _stack(
        self, X: Any, finish: Callable[[np.ndarray], np.ndarray], dtype: Any = None
    ) -> np.ndarray:
        """Return what `finish` makes of the logits of all texts."""
        check_is_fitted(self, "weights_")
        n = None
        if not isinstance(X, Iterator):
            X = check_texts(X)
            n = len(X)
        with closing(self._score_chunks(X, finish)) as parts:
            return stack_rows(parts, n, dtype)

    def _rule(self) -> DecisionRule:
        """Return how labels are chosen."""
        if self.multilabel_:
            self._check_label_bounds(len(self.classes_))
        return DecisionRule(
            multilabel=self.multilabel_,
            exclusive=is_exclusive(self.loss_),
            thresholds=self.thresholds_,
            min_labels=self.min_labels,
            max_labels=self.max_labels,
        )

    def _decide(self, logits: np.ndarray) -> np.ndarray:
        """Return the predicted labels as a boolean matrix (n, k), whatever the kind."""
        return self._rule().decide(logits)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the outputs before softmax or sigmoid, the linear part blended in.

        Parameters
        ----------
        X : 1-D sequence of str of length n, a column of shape (n, 1), or an iterator
            Texts. An iterator is read as it is worked off.

        Returns
        -------
        ndarray of shape (n, k), or (n,) for two classes and one label per text, dtype float32
            Logits; in the latter case that of the second class minus that of the first.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts.
        """
        check_is_fitted(self, "weights_")
        if not self.multilabel_ and len(self.classes_) == 2:
            return self._stack(X, lambda logits: logits[:, 1] - logits[:, 0])
        return self._stack(X, lambda logits: logits)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each label.

        Parameters
        ----------
        X : 1-D sequence of str of length n, a column of shape (n, 1), or an iterator
            Texts. An iterator is read as it is worked off.

        Returns
        -------
        ndarray of shape (n, k), dtype float32
            Columns in the order of `classes_`. Rows sum to 1 for one label per text and under
            "kl_divergence".

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts.
        """
        return self._stack(
            X, lambda logits: inference.to_probabilities(logits, exclusive=is_exclusive(self.loss_))
        )

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of the probability of each label.

        It comes from the logits, so it is finite where `predict_proba` is 0.

        Parameters
        ----------
        X : 1-D sequence of str of length n, a column of shape (n, 1), or an iterator
            Texts. An iterator is read as it is worked off.

        Returns
        -------
        ndarray of shape (n, k), dtype float32
            Natural logarithms. Columns in the order of `classes_`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts.

        Examples
        --------
        >>> import numpy as np
        >>> from sktextcnn import TextCNNClassifier
        >>> texts, tags = ["a goal", "a vote", "a match"], [["sport"], ["politics"], ["sport"]]
        >>> clf = TextCNNClassifier(min_df=1, epochs=1, random_state=0).fit(texts, tags)
        >>> np.allclose(np.exp(clf.predict_log_proba(texts)), clf.predict_proba(texts))
        True
        """
        return self._stack(
            X, lambda logits: inference.to_log_probabilities(logits, exclusive=is_exclusive(self.loss_))
        )

    def predict(self, X: Any) -> Any:
        """Return the labels of texts in the form that scikit-learn's metrics take.

        Parameters
        ----------
        X : 1-D sequence of str of length n, a column of shape (n, 1), or an iterator
            Texts. An iterator is read as it is worked off.

        Returns
        -------
        ndarray of shape (n,), ndarray of shape (n, k), or csr_matrix of shape (n, k)
            One label per text; 0/1 for several; sparse 0/1 if y was sparse.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts.
        """
        check_is_fitted(self, "weights_")
        if not self.multilabel_:
            return self.classes_[self._stack(X, lambda logits: logits.argmax(axis=1))]
        if not self.sparse_output_:
            return self._stack(X, self._decide, np.int64)
        with closing(self._score_chunks(X, self._decide)) as parts:
            return stack_sparse(parts)

    def predict_topk(self, X: Any, k: Any = 5, *, sparse_output: bool = False) -> Any:
        """Return the k most probable labels of each text, whatever the thresholds.

        Parameters
        ----------
        X : 1-D sequence of str of length n, a column of shape (n, 1), or an iterator
            Texts. An iterator is read as it is worked off.
        k : int, default=5
            From 1 to the number of labels.
        sparse_output : bool, default=False
            Return the probabilities of these labels as a sparse matrix of all labels.

        Returns
        -------
        labels : ndarray of shape (n, k)
            Names, in descending order of probability; of equal ones the earlier in `classes_` comes
            first.
        probabilities : ndarray of shape (n, k), dtype float32
            Those of `predict_proba`.
        matrix : csr_matrix of shape (n, n_labels), dtype float32
            In the place of both, if `sparse_output`: k entries in each row.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts, or `k` is out of range.

        See Also
        --------
        sktextcnn.metrics.precision_at_k : How many of them are right; it takes the sparse matrix.

        Examples
        --------
        >>> from sktextcnn import TextCNNClassifier
        >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
        >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
        >>> clf = TextCNNClassifier(random_state=0).fit(texts, tags)
        >>> labels, probabilities = clf.predict_topk(["a late goal", "tax talks"], k=1)
        >>> labels.tolist(), probabilities.shape
        ([['sport'], ['politics']], (2, 1))
        """
        check_is_fitted(self, "weights_")
        n_labels = len(self.classes_)
        is_whole = isinstance(k, (int, np.integer)) and not isinstance(k, bool)
        if not is_whole or not 1 <= k <= n_labels:
            raise ValueError(
                f"k={k!r}; expected a whole number from 1 to {n_labels}, as many as there are labels."
            )
        exclusive = is_exclusive(self.loss_)

        def find_best(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return best_labels(inference.to_probabilities(logits, exclusive=exclusive), k)

        with closing(self._score_chunks(X, find_best)) as parts:
            columns, probabilities = (np.concatenate(each) for each in zip(*parts, strict=True))
        if not sparse_output:
            return self.classes_[columns], probabilities
        offsets = np.arange(0, columns.size + 1, k)
        entries = probabilities.ravel(), columns.ravel(), offsets
        return sparse.csr_matrix(entries, (len(columns), n_labels)).sorted_indices()

    def predict_labels(self, X: Any) -> list[tuple]:
        """Return the labels of texts by name.

        Parameters
        ----------
        X : 1-D sequence of str of length n, a column of shape (n, 1), or an iterator
            Texts. An iterator is read as it is worked off.

        Returns
        -------
        list of tuple, of length n
            The names of each text's labels in the order of `classes_`, 1-tuples for one label per
            text.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts.
        """
        check_is_fitted(self, "weights_")
        with closing(self._score_chunks(X, self._decide)) as parts:
            return [labels for part in parts for labels in self._name(part)]

    def _predict_labels_and(
        self, X: Any, finish: Callable[[np.ndarray], T]
    ) -> tuple[list[tuple], list[T]]:
        """Return labels, and what `finish` makes of probabilities, chunk by chunk, scored once."""
        check_is_fitted(self, "weights_")
        labels: list[tuple] = []
        rule = self._rule()

        def finish_both(logits: np.ndarray) -> T:
            labels.extend(self._name(rule.decide(logits)))
            return finish(rule.to_probabilities(logits))

        with closing(self._score_chunks(X, finish_both)) as parts:
            return labels, list(parts)

    def _predict_labels_and_proba(self, X: Any) -> tuple[list[tuple], np.ndarray]:
        """Return what `predict_labels` and `predict_proba` do, of texts that are scored once."""
        labels, parts = self._predict_labels_and(X, lambda probabilities: probabilities)
        return labels, np.concatenate(parts)

    def _name(self, decisions: np.ndarray) -> Iterator[tuple]:
        """Return the names of the labels that each row of a boolean matrix (n, k) sets."""
        names = self.classes_.tolist()
        return (tuple(names[column] for column in np.flatnonzero(row)) for row in decisions)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of texts whose labels are all predicted, and no others.

        Parameters
        ----------
        X : 1-D sequence of str of length n, a column of shape (n, 1), or an iterator
            Texts. An iterator is read as it is worked off.
        y : labels, label sets or 0/1 matrix of n rows
            True labels in any form that `fit` takes. A text with a label that was not seen in
            training counts as a miss.
        sample_weight : array-like of shape (n,) or None, default=None
            Weight of each text in the mean.

        Returns
        -------
        float
            Accuracy; for several labels per text, subset accuracy.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If `y` is not of the kind that the classifier was fitted on, its columns or the type of its
            labels have nothing in common with `classes_`, or lengths differ.
        """
        check_is_fitted(self, "weights_")
        given, n_unseen = count_unseen(y, self.classes_)
        check_kind(given.multilabel, self.multilabel_)
        check_in_common(y, self.classes_)
        n, n_texts, hits = given.matrix.shape[0], 0, n_unseen == 0
        with closing(self._score_chunks(X, self._decide)) as parts:
            for part in parts:
                rows = slice(n_texts, n_texts + len(part))
                n_texts = rows.stop
                if n_texts <= n:
                    hits[rows] &= (part == given.matrix[rows].toarray()).all(axis=1)
        if n_texts != n:
            raise ValueError(f"X has {n_texts} texts, but y has {n} rows; expected as many.")
        return float(np.average(hits, weights=check_sample_weight(sample_weight, n)))

    def tune_thresholds(
        self, X: Any, y: Any, *, metric: str | Callable | None = None, sample_weight: Any = None
    ) -> Any:
        """Choose thresholds anew, on texts of one's own that the model has not learned from.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.
        y : label sets or 0/1 matrix of n rows
            Their labels, as in `fit`, all of them among `classes_`.
        metric : {"f1_micro", "f1_macro", "cardinality"}, callable or None, default=None
            What the decisions are to do well on, see the parameter `metric`; None: what that says.
            "cardinality": the texts get as many labels as they have.
        sample_weight : array-like of shape (n,) or None, default=None
            Weight of each text, as on held-out texts in `fit`.

        Returns
        -------
        self : TextCNNClassifier
            With other `thresholds_`; nothing else changes.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If texts, labels or `metric` are not of these kinds, no text carries a label, or the
            classifier predicts one label per text, which takes no thresholds.

        Examples
        --------
        >>> from sktextcnn import TextCNNClassifier
        >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
        >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
        >>> clf = TextCNNClassifier(random_state=0).fit(texts, tags)
        >>> new = ["a late goal", "tax talks", "goal or tax"]
        >>> clf = clf.tune_thresholds(new, [["sport"], ["politics"], ["politics", "sport"]])
        >>> clf.thresholds_.shape
        (2,)
        """
        check_is_fitted(self, "weights_")
        if not self.multilabel_:
            raise ValueError(
                "tune_thresholds: the classifier predicts the most probable of its classes for each "
                "text; there are thresholds only where texts may carry several labels."
            )
        metric = self.metric if metric is None else metric
        names = ("f1_micro", "f1_macro", "cardinality")
        if not callable(metric) and metric not in names:
            raise ValueError(f"metric={metric!r}; expected one of {', '.join(names)}, or a callable.")
        texts, given, weight = read_input(X, y, sample_weight, self.classes_)
        check_kind(given.multilabel, self.multilabel_)
        if not given.matrix.nnz:
            raise ValueError("y holds no label anywhere, so there is nothing to tune thresholds on.")
        evaluator = Evaluator(
            rule=self._rule(),
            metric=metric,
            tuning="cardinality" if is_option(metric, "cardinality") else "tune",
            labels_per_text=float(np.average(given.matrix.getnnz(axis=1), weights=weight)),
        )
        with closing(self._score_chunks(texts, lambda logits: logits)) as parts:
            found = evaluator.collect(parts, given.matrix)
        self.thresholds_ = evaluator.thresholds(found, weight)
        return self

    def to_keras(self) -> keras.Model:
        """Return the fitted model, with its linear part if there is one, as a Keras model.

        Returns
        -------
        keras.Model
            From int32 ids (n, T), padded right with 0, to probabilities (n, k). The id of a token is
            ``vocabulary_[token] + 2``, and 1 for any other, whose characters ids do not tell: what the
            linear part says of those is missing, see `linear_char_ngram_range`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        """
        check_is_fitted(self, "weights_")
        exclusive = is_exclusive(self.loss_)
        if "network" in self.weights_:
            from sktextcnn.engine import own_network

            return own_network.to_keras(self.weights_, self.linear_part_, exclusive=exclusive)
        from sktextcnn.engine import network

        return network.build_network(
            self.weights_,
            self.linear_part_,
            kernel_sizes=inference.kernel_sizes_of(self.weights_),
            exclusive=exclusive,
            embedding_dropout=self.embedding_dropout,
            dropout=self.dropout,
        )

    def to_onnx(self) -> onnx.ModelProto:
        """Return the fitted model, with its linear part and its decisions, as an ONNX model.

        It is made by the package onnx (``pip install 'sktextcnn[onnx]'``), without TensorFlow. What else
        a server has to know is in the model's metadata, as JSON: ``classes``, ``thresholds``,
        ``vocabulary`` (the tokens, in the order of their ids) and ``tokenization`` (the parameters that
        say how a text becomes tokens; null if one of them is a function).

        Returns
        -------
        onnx.ModelProto
            From ``ids``, int32 (n, T), padded right with 0, to ``logits`` and ``probabilities``, float32
            (n, k), and ``decisions``, bool (n, k). The id of a token is ``vocabulary_[token] + 2``, and
            1 for any other, whose characters ids do not tell: what the linear part says of those is
            missing, see `linear_char_ngram_range`. Ids beyond `max_length_` do not count.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If it has a `network` of your own.
        TypeError
            If its labels have no form in JSON.
        ImportError
            If the package onnx is not installed.
        """
        check_is_fitted(self, "weights_")
        if "network" in self.weights_:
            raise ValueError(
                "to_onnx takes the standard network, and this classifier has a network of your own. "
                "Take to_keras, and convert the Keras model: model.export('model.onnx', format='onnx')."
            )
        from sktextcnn.export.onnx_model import build_onnx

        names = ("analyzer", "lowercase", "strip_accents", "token_pattern")
        tokenization = {name: getattr(self, name) for name in names}
        functions = (*tokenization.values(), self.tokenizer)
        metadata = {
            "classes": self.classes_.tolist(),
            "thresholds": self.thresholds_.tolist(),
            "vocabulary": sorted(self.vocabulary_, key=self.vocabulary_.__getitem__),
            "tokenization": None if any(map(callable, functions)) else tokenization,
        }
        return build_onnx(
            self.weights_,
            self.linear_part_,
            self._rule(),
            max_length=self.max_length_,
            metadata=metadata,
        )

    def save(
        self, path: str | os.PathLike, *, overwrite: bool = False, include_optimizer: bool = False
    ) -> None:
        """Write the fitted classifier into a folder, as JSON and arrays, without pickle.

        Attributes of your own are not written.
        Functions cannot be saved. Those that make tokens must be passed to `sktextcnn.load` again; for
        other parameters that cannot be saved a loaded classifier has the defaults.

        Parameters
        ----------
        path : str or path
            A folder that does not exist or is empty.
        overwrite : bool, default=False
            Replace the model in the folder. If that fails, the old one stays. A process that loads at
            the same time gets the old one or the new one; one that saves there waits.
        include_optimizer : bool, default=False
            Save `optimizer_state_`, too, if there is one: up to twice the size of the weights, needed
            only to go on learning as if there had been no break.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        FileExistsError
            If the path is taken, or by something else than a model.
        FileNotFoundError
            If the folder that it is to be made in does not exist.
        OSError
            If writing fails.
        ValueError
            If Keras cannot save the network that `network` built; or if parameters or fitted attributes
            have been set to what no fit leaves, such as weights that are not finite, and `load` refuses.

        Warns
        -----
        UserWarning
            If parameters that training uses cannot be saved.
        """
        check_is_fitted(self, "weights_")
        if "network" in self.weights_:
            from sktextcnn.engine import own_network

            own_network.check_saveable(self.weights_)
        self._check_can_predict(len(self.classes_), multilabel=self.multilabel_)
        params, left_out = split_params(self.get_params(deep=False), leave_out=["embeddings"])
        fitted = {
            name: value
            for name, value in vars(self).items()
            if name in FITTED and (include_optimizer or name != "optimizer_state_")
        }
        fitted["resolved_"] = asdict(fitted["resolved_"])
        if fitted["linear_part_"] is not None:
            fitted["linear_part_"] = fitted["linear_part_"].to_arrays()
        lost = [f"{name}={was}" for name, was in left_out.items() if name not in NEEDED]
        if lost:
            warnings.warn(
                f"{', '.join(lost)} cannot be saved; a loaded classifier predicts the same, and has the "
                "default instead. Pass it to load to keep it.",
                stacklevel=2,
            )
        write_model(path, SavedModel(params, left_out, fitted), overwrite=overwrite)

    def _check_can_predict(self, n_labels: int, *, multilabel: bool) -> None:
        """Look at all parameters, which may have been set since `fit`, or come from a file."""
        self._validate_params()
        self._tokenizer()
        if multilabel:
            self._check_label_bounds(n_labels)
