"""`TextCNNClassifier`: parameters, fit and predict. It wires the stages and holds no algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sktextcnn import inference
from sktextcnn.callbacks import CallbackSupportMixin, FitCallbacks, print_progress
from sktextcnn.label_hints import warn_if_joined, warn_if_repeated
from sktextcnn.labels import Labels, check_classes, count_unseen, read_labels
from sktextcnn.model_selection import hold_out
from sktextcnn.objective import (
    check_kind,
    check_sample_weight,
    is_exclusive,
    label_weights,
    resolve_loss,
)
from sktextcnn.parameters import Parameters, check_kernel_sizes, choose_batch_size
from sktextcnn.text import (
    TokenIds,
    build_tokenizer,
    check_texts,
    check_vocabulary,
    choose_max_length,
    encode,
    learn_vocabulary,
)
from sktextcnn.thresholds import decide, resolve_thresholds
from sktextcnn.validation import Judge

if TYPE_CHECKING:
    import keras

#: From how many texts on early_stopping="auto" holds some out.
EARLY_STOPPING_FROM = 1000


class TextCNNClassifier(CallbackSupportMixin, ClassifierMixin, Parameters):
    r"""Convolutional network for texts with one or several labels.

    Takes raw strings and labels in any usual form, learns token embeddings, convolutions over them
    and one output per label [1]_, and predicts without TensorFlow.

    Parameters
    ----------
    analyzer : {"word", "char"} or callable, default="word"
        What a token is. A callable gets a text and returns its tokens, and replaces all other text
        options.
    lowercase : bool, default=True
        Lower-case texts first.
    strip_accents : {"unicode", "ascii"}, callable or None, default=None
        Remove accents first.
    token_pattern : str or None, default=r"\w+|[^\w\s]"
        Regular expression of a word. The default keeps punctuation marks and emoji as tokens, since
        word order around them tells.
    tokenizer : callable or None, default=None
        Replaces `token_pattern`.
    min_df : int or float, default=2
        Number (int) or share (float) of training texts a token must occur in to be kept. All other
        tokens share one vector, which is trained on the rare ones.
    max_features : int or None, default=50_000
        Keep so many tokens at most, the most frequent ones.
    max_length : int, None or "auto", default="auto"
        Cut texts after so many tokens. "auto": the 95th percentile of the training texts, at least
        128. None: no limit; memory then grows with the longest text.
    vocabulary : mapping, iterable of str or None, default=None
        Tokens fixed in advance; `min_df` and `max_features` are not used then.
    embedding_dim : int, default=128
        Length of a token's vector.
    kernel_sizes : sequence of int, default=(2, 3, 4)
        Widths of the convolutions, in tokens.
    filters : int, default=128
        Number of filters of each width.
    hidden_units : int or None, default=None
        Units of a layer between the filters and the output. None: no such layer.
    embedding_dropout : float, default=0.2
        Share of the entries of token vectors dropped in training.
    dropout : float, default=0.5
        Share of the filters' maxima (and hidden units) dropped in training.
    loss : str, default="auto"
        For several labels per text: "binary_crossentropy" (independent labels, sigmoid), "focal" or
        "asymmetric" (the same for rare labels), "kl_divergence" (the labels of a text share one
        distribution, softmax). For one label per text: "categorical_crossentropy" (softmax). "auto"
        is the first of its kind.
    class_weight : dict, "balanced" or None, default=None
        Weight of the texts that carry a label, in that label's loss: label -> weight, 1 where not
        named. "balanced" gives every class, or for several labels every label's 1s and 0s, the same
        total weight.
    classes : sequence or None, default=None
        Fixes the label space and its order; with a 0/1 matrix y it names the columns.
    optimizer : {"adam", "adagrad", "sgd"}, default="adam"
        Vectors of tokens that do not occur in a batch are left alone by all of them.
    learning_rate : float, default=0.002
        Step size.
    batch_size : int or "auto", default="auto"
        Texts per step. "auto": 1 in 64 of the training texts, at least 16 and at most 64 of them, so
        that small collections, too, see many steps.
    epochs : int, default=40
        Passes over the training texts; the most that early stopping allows.
    early_stopping : bool or "auto", default="auto"
        Hold `validation_fraction` of the texts out, stop when the `threshold_metric` of their
        predictions has not improved for `n_iter_no_change` epochs, and keep the best epoch. "auto":
        from 1,000 texts on.
    validation_fraction : float, default=0.1
        Share of the texts to hold out.
    n_iter_no_change : int, default=5
        Epochs to wait for an improvement.
    threshold : float, array-like of shape (n_labels,), "auto" or "tune", default="auto"
        Probability from which a label is predicted. "tune": the threshold with the best
        `threshold_metric` on held-out texts; one for all labels or, for "f1_macro", one for each.
        "auto": the same where early stopping holds texts out and `threshold_metric` is not a callable;
        else 0.5, or 1 / (m + 1) under "kl_divergence", m being the mean number of labels of a labelled
        training text. For one label per text it must be "auto": the most probable class is predicted.
    threshold_metric : {"f1_micro", "f1_macro"} or callable, default="f1_micro"
        The measure that decisions are meant to do well on: early stopping watches it, and thresholds
        are tuned for it. A callable
        gets true and predicted labels, (n, k) 0/1 matrices or, for one label per text, 1-D codes,
        and returns a float, higher being better.
    min_labels : int, default=0
        Predict so many labels at least.
    max_labels : int or None, default=None
        Predict so many labels at most.
    random_state : int, RandomState instance or None, default=None
        Seed of all random choices. Two fits with the same int give the same weights, bit for bit on
        the same machine, versions and number of threads.
    verbose : int, default=0
        1 prints a line per epoch.
    warm_start : bool, default=False
        Let `fit` go on from the last fit's weights, with its vocabulary and classes.
    keras_callbacks : callable or None, default=None
        Returns a fresh list of Keras callbacks for each fit.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Token -> position.
    classes_ : ndarray of shape (k,)
        Labels, in the order of the columns of `predict_proba`.
    multilabel_ : bool
        Whether a text may carry several labels.
    sparse_output_ : bool
        Whether `predict` returns a SciPy sparse matrix, as y was one.
    loss_ : str
        The loss that was minimised.
    max_length_ : int or None
        Number of tokens after which texts are cut.
    weights_ : dict of str to ndarray
        The network's weights: ``embedding`` (V + 2, D), ``convolution_{w}_kernel`` (w, D, F), and so
        on.
    thresholds_ : ndarray of shape (k,)
        Probability from which each label is predicted. Assign to it to decide otherwise without
        fitting again.
    history_ : dict of str to list of float
        Per epoch, or call of `partial_fit`: mean ``loss`` of a text, ``seconds``, and
        ``validation_score`` under early stopping (NaN for epochs without).
    n_epochs_ : int
        Epochs that the weights have seen.
    optimizer_state_ : dict
        What training needs to go on; present after `partial_fit`, or `fit` with `warm_start`.

    See Also
    --------
    sktextcnn.as_label_matrix : The form of y for cross-validation and searches.
    sktextcnn.group_rows : From one (text, tag) pair a row to texts and labels.

    Notes
    -----
    Importing scikeras, which `fit` does, changes how Keras models are pickled in this process.

    References
    ----------
    .. [1] Y. Kim (2014), Convolutional Neural Networks for Sentence Classification, EMNLP,
       https://aclanthology.org/D14-1181.

    Examples
    --------
    >>> from sktextcnn import TextCNNClassifier
    >>> texts = [
    ...     "the match ended in a draw",
    ...     "a goal in the last minute",
    ...     "parliament votes on the budget",
    ...     "the minister resigns",
    ...     "the minister opens the match",
    ... ]
    >>> tags = [["sport"], ["sport"], ["politics"], ["politics"], ["politics", "sport"]]
    >>> clf = TextCNNClassifier(min_df=1, epochs=50, random_state=0).fit(texts, tags)
    >>> clf.classes_.tolist()
    ['politics', 'sport']
    >>> clf.predict_labels(["a match and a goal", "parliament resigns"])
    [('sport',), ('politics',)]
    """

    # -- fitting -------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TextCNNClassifier:
        """Learn from texts and their labels.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.
        y : labels, label sets or 0/1 matrix of n rows
            1-D labels mean one label per text; lists, tuples or sets of labels, 2-D 0/1 matrices
            (array, SciPy sparse, DataFrame) and label matrices mean several.
        sample_weight : array-like of shape (n,) or None, default=None
            Weight of each text in the loss. A text of weight 0 is left out, but for its labels' place in
            `classes_`.

        Returns
        -------
        self : TextCNNClassifier

        Raises
        ------
        ValueError
            If texts, labels and parameters do not go together; the message says what to do.
        TypeError
            If a text is not a str, or labels are of a type without meaning.
        ImportError
            If Keras runs on another backend than TensorFlow.
        """
        from sktextcnn import training

        resumes = self.warm_start and hasattr(self, "weights_")
        texts, given, weight = self._read_input(
            X, y, sample_weight, self.classes_ if resumes else self.classes
        )
        if not given.matrix.nnz:
            raise ValueError("y holds no label anywhere: no text carries one.")
        fixed, ids = self._fix(texts, given, resumes)
        state, settings = self._start(fixed, given, resumes)
        train, held_out = self._divide(given, settings.seed)

        judge = self._judge(fixed, ids, given, held_out)

        def attributes(weights: Mapping) -> dict:
            return {**fixed, "thresholds_": judge.thresholds(weights), "weights_": weights}

        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        callbacks = FitCallbacks(self, self.epochs, attributes, X=X, y=y, metadata=metadata)

        def on_epoch_end(epoch: int, logs: dict, get_weights: Callable) -> bool:
            if self.verbose:
                print_progress(epoch, self.epochs, logs, _name_of(self.threshold_metric))
            return callbacks.end_epoch(get_weights)

        state, history = training.train(
            state,
            self._examples(ids.take(train), given, train, weight),
            settings,
            validate=judge.score if len(judge.ids) and self._stops_early(len(ids)) else None,
            n_iter_no_change=self.n_iter_no_change,
            on_epoch_begin=callbacks.begin_epoch,
            on_epoch_end=on_epoch_end,
            keras_callbacks=self.keras_callbacks,
        )
        callbacks.end_fit(state.weights)
        fixed = attributes(state.weights)
        if resumes:
            history = training.join_histories(self.history_, history)
        return self._assign(fixed, state, history, keep_optimizer=self.warm_start)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> TextCNNClassifier:
        """Learn from a mini-batch: one pass over it, going on from the weights there are.

        The first call fixes vocabulary and classes; with small batches, pass a `vocabulary` to the
        constructor. Callbacks are not called and nothing is printed.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.
        y : labels, label sets or 0/1 matrix of n rows
            As in `fit`.
        classes : sequence or None, default=None
            All labels there will be; needed in the first call, unless it holds them all or the
            constructor got them.
        sample_weight : array-like of shape (n,) or None, default=None
            Weight of each text in the loss.

        Returns
        -------
        self : TextCNNClassifier

        Raises
        ------
        ValueError
            As in `fit`; and with ``early_stopping=True`` or ``threshold="tune"``, which hold texts out,
            ``class_weight="balanced"``, or where `classes` differs from the first call's.
        TypeError, ImportError
            As in `fit`.
        """
        from sktextcnn import training

        if self.early_stopping is True or _is(self.threshold, "tune"):
            raise ValueError(
                "partial_fit cannot hold texts out; set early_stopping=False and threshold='auto' or a "
                "number to learn by mini-batches."
            )
        if _is(self.class_weight, "balanced"):
            raise ValueError(
                "class_weight='balanced' counts the labels of all texts, and partial_fit sees a few of "
                "them; pass a dict of weights."
            )
        resumes = hasattr(self, "weights_")
        if resumes and classes is not None:
            named = check_classes(classes).tolist()
            if {*named} != {*self.classes_.tolist()}:
                raise ValueError(
                    f"classes={named} differs from the {self.classes_.tolist()} of the first call."
                )
        known = self.classes_ if resumes else self.classes if classes is None else classes
        texts, given, weight = self._read_input(X, y, sample_weight, known)
        fixed, ids = self._fix(texts, given, resumes)
        if resumes:
            fixed["thresholds_"] = self.thresholds_
        state, settings = self._start(fixed, given, resumes)
        everything = np.arange(len(ids))
        state, history = training.train_on_batch(
            state, self._examples(ids, given, everything, weight), settings
        )
        if resumes:
            history = training.join_histories(self.history_, history)
        return self._assign(fixed, state, history, keep_optimizer=True)

    def _read_input(
        self, X: Any, y: Any, sample_weight: Any, classes: Any
    ) -> tuple[list[str], Labels, np.ndarray]:
        """Check the data on its own; leave out texts of weight 0."""
        texts = check_texts(X)
        given = read_labels(y, classes)
        n = given.matrix.shape[0]
        if len(texts) != n:
            raise ValueError(f"X has {len(texts)} texts, but y has {n} rows; expected as many.")
        weight = check_sample_weight(sample_weight, n)
        if not weight.all():
            kept = np.flatnonzero(weight)
            texts, weight = [texts[row] for row in kept], weight[kept]
            given = replace(given, matrix=given.matrix[kept])
        warn_if_repeated(texts, given)
        warn_if_joined(given)
        return texts, given, weight

    def _fix(self, texts: list[str], given: Labels, resumes: bool) -> tuple[dict, TokenIds]:
        """Return the fitted attributes that are known before training, and the texts as ids."""
        if resumes:
            check_kind(given.multilabel, self.multilabel_)
            inference.check_shapes(
                self.weights_,
                embedding_dim=self.embedding_dim,
                kernel_sizes=check_kernel_sizes(self.kernel_sizes),
                filters=self.filters,
                hidden_units=self.hidden_units,
            )
            vocabulary, max_length = self.vocabulary_, self.max_length_
            ids = encode(texts, self._tokenizer(), vocabulary)
        else:
            if self.vocabulary is None:
                vocabulary, ids = learn_vocabulary(
                    texts, self._tokenizer(), min_df=self.min_df, max_features=self.max_features
                )
            else:
                vocabulary = check_vocabulary(self.vocabulary)
                ids = encode(texts, self._tokenizer(), vocabulary)
            automatic = self.max_length == "auto"
            max_length = choose_max_length(ids.lengths) if automatic else self.max_length
        loss = resolve_loss(self.loss, given.multilabel, len(given.classes))
        return {
            "vocabulary_": vocabulary,
            "classes_": given.classes,
            "multilabel_": given.multilabel,
            "sparse_output_": given.sparse,
            "loss_": loss,
            "max_length_": max_length,
            "thresholds_": resolve_thresholds(
                self.threshold,
                loss=loss,
                matrix=given.matrix,
                multilabel=given.multilabel,
                min_labels=self.min_labels,
                max_labels=self.max_labels,
            ),
        }, ids.truncated(max_length)

    def _tokenizer(self) -> Callable[[str], Sequence[str]]:
        return build_tokenizer(
            analyzer=self.analyzer,
            lowercase=self.lowercase,
            strip_accents=self.strip_accents,
            token_pattern=self.token_pattern,
            tokenizer=self.tokenizer,
        )

    def _start(self, fixed: dict, given: Labels, resumes: bool) -> tuple[Any, Any]:
        """Return the state to start training from, and how to train."""
        from sktextcnn import network, training

        sizes = check_kernel_sizes(self.kernel_sizes)
        settings = training.Settings(
            kernel_sizes=sizes,
            loss=fixed["loss_"],
            optimizer=self.optimizer,
            exclusive=is_exclusive(fixed["loss_"]),
            learning_rate=self.learning_rate,
            embedding_dropout=self.embedding_dropout,
            dropout=self.dropout,
            batch_size=choose_batch_size(self.batch_size, given.matrix.shape[0]),
            epochs=self.epochs,
            seed=int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max)),
        )
        if resumes:
            remembered = getattr(self, "optimizer_state_", {"epoch": self.n_epochs_})
            return training.State(self.weights_, **remembered), settings
        weights = network.initial_weights(
            np.random.default_rng(settings.seed),
            n_tokens=len(fixed["vocabulary_"]),
            n_labels=len(given.classes),
            embedding_dim=self.embedding_dim,
            kernel_sizes=sizes,
            filters=self.filters,
            hidden_units=self.hidden_units,
            output_bias=network.prior_logits(
                np.bincount(given.matrix.indices, minlength=len(given.classes)),
                given.matrix.shape[0],
                exclusive=settings.exclusive,
            ),
        )
        return training.State(weights), settings

    def _divide(self, given: Labels, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the rows to learn from, and those to validate on, if any."""
        n = given.matrix.shape[0]
        asked_for = self.early_stopping is True or _is(self.threshold, "tune")
        if asked_for or self._stops_early(n):
            rng = np.random.default_rng([seed, n])
            # What the user did not ask for must not fail: without texts to spare, all are learned.
            with nullcontext() if asked_for else suppress(ValueError):
                return hold_out(given.matrix, self.validation_fraction, rng)
        return np.arange(n), None

    def _stops_early(self, n: int) -> bool:
        if isinstance(self.early_stopping, str):  # "auto"
            return n >= EARLY_STOPPING_FROM
        return self.early_stopping

    def _judge(self, fixed: dict, ids: TokenIds, given: Labels, held_out: np.ndarray | None) -> Judge:
        rows = np.arange(0) if held_out is None else held_out
        return Judge(
            ids=ids.take(rows),
            truth=given.matrix[rows].toarray(),
            multilabel=given.multilabel,
            exclusive=is_exclusive(fixed["loss_"]),
            metric=self.threshold_metric,
            fixed_thresholds=fixed["thresholds_"],
            # The two F1s are tuned for fast; a callable is asked about 101 thresholds each time.
            tunes=_is(self.threshold, "tune")
            or (_is(self.threshold, "auto") and not callable(self.threshold_metric)),
            min_labels=self.min_labels,
            max_labels=self.max_labels,
        )

    def _examples(self, ids: TokenIds, given: Labels, rows: np.ndarray, weight: np.ndarray) -> Any:
        from sktextcnn import training

        return training.Examples(
            ids=ids,
            targets=given.matrix[rows],
            sample_weight=weight[rows].astype(np.float32),
            label_weight=label_weights(self.class_weight, given.matrix, given.classes, given.multilabel),
        )

    def _assign(
        self, fixed: dict, state: Any, history: dict, *, keep_optimizer: bool
    ) -> TextCNNClassifier:
        """Set all fitted attributes, together and last."""
        fitted = {**fixed, "weights_": state.weights, "history_": history, "n_epochs_": state.epoch}
        if keep_optimizer:
            fitted["optimizer_state_"] = {
                "optimizer": state.optimizer,
                "slots": state.slots,
                "step": state.step,
                "epoch": state.epoch,
            }
        else:
            self.__dict__.pop("optimizer_state_", None)
        self.__dict__.update(fitted)
        return self

    # -- predicting ----------------------------------------------------------------------------------

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "weights_")
        ids = encode(check_texts(X), self._tokenizer(), self.vocabulary_)
        return inference.compute_logits(self.weights_, ids.truncated(self.max_length_))

    def _decisions(self, X: Any) -> np.ndarray:
        """Return the predicted labels as a boolean matrix (n, k), whatever the kind."""
        logits = self._logits(X)
        if not self.multilabel_:
            return np.arange(logits.shape[1]) == logits.argmax(axis=1)[:, None]
        return decide(
            inference.to_probabilities(logits, exclusive=is_exclusive(self.loss_)),
            self.thresholds_,
            min_labels=self.min_labels,
            max_labels=self.max_labels,
        )

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the network's outputs before softmax or sigmoid.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.

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
        logits = self._logits(X)
        if not self.multilabel_ and logits.shape[1] == 2:
            return logits[:, 1] - logits[:, 0]
        return logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each label.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.

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
        logits = self._logits(X)
        return inference.to_probabilities(logits, exclusive=is_exclusive(self.loss_))

    def predict(self, X: Any) -> Any:
        """Return the labels of texts in the form that scikit-learn's metrics take.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.

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
        decisions = self._decisions(X)
        if not self.multilabel_:
            return self.classes_[decisions.argmax(axis=1)]
        if self.sparse_output_:
            return sparse.csr_matrix(decisions.astype(np.int64))
        return decisions.astype(np.int64)

    def predict_labels(self, X: Any) -> list[tuple]:
        """Return the labels of texts by name.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.

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
        decisions = self._decisions(X)
        names = self.classes_.tolist()
        return [tuple(names[column] for column in np.flatnonzero(row)) for row in decisions]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of texts whose labels are all predicted, and no others.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.
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
            If `y` is not of the kind that the classifier was fitted on, or lengths differ.
        """
        decisions = self._decisions(X)
        given, n_unseen = count_unseen(y, self.classes_)
        check_kind(given.multilabel, self.multilabel_)
        n = given.matrix.shape[0]
        if len(decisions) != n:
            raise ValueError(f"X has {len(decisions)} texts, but y has {n} rows; expected as many.")
        hits = (decisions == given.matrix.toarray()).all(axis=1) & (n_unseen == 0)
        return float(np.average(hits, weights=check_sample_weight(sample_weight, n)))

    def to_keras(self) -> keras.Model:
        """Return the fitted network as a Keras model.

        Returns
        -------
        keras.Model
            From int32 ids (n, T), padded right with 0, to probabilities (n, k). The id of a token is
            ``vocabulary_[token] + 2``, and 1 for any other.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        """
        check_is_fitted(self, "weights_")
        from sktextcnn import network

        return network.build_network(
            self.weights_,
            kernel_sizes=inference.kernel_sizes_of(self.weights_),
            exclusive=is_exclusive(self.loss_),
            embedding_dropout=self.embedding_dropout,
            dropout=self.dropout,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags


def _is(value: Any, name: str) -> bool:
    return isinstance(value, str) and value == name


def _name_of(metric: str | Callable) -> str:
    return metric if isinstance(metric, str) else getattr(metric, "__name__", "score")
