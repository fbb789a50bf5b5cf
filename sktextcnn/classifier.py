"""`TextCNNClassifier`: parameters, fit and predict. It wires the stages and holds no algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import _fit_context
from sklearn.utils import check_random_state

from sktextcnn.callbacks import CallbackSupportMixin, FitCallbacks, Progress
from sktextcnn.decision.judge import Judge
from sktextcnn.decision.rule import DecisionRule
from sktextcnn.decision.splits import choose_folds
from sktextcnn.decision.thresholds import resolve_thresholds
from sktextcnn.embeddings import (
    WordVectors,
    check_embeddings,
    find_tokens,
    initial_embedding,
    usable_words,
)
from sktextcnn.engine.engines import open_engine, open_network
from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.weights import initial_weights, prior_logits
from sktextcnn.inputs import check_same_classes, read_input
from sktextcnn.labels.parsing import Labels
from sktextcnn.objective import (
    check_kind,
    is_exclusive,
    label_weights,
    resolve_loss,
)
from sktextcnn.parameters import check_kernel_sizes
from sktextcnn.prediction import Predictor
from sktextcnn.resolved import (
    choose_batch_size,
    choose_epochs,
    choose_learning_rate,
    choose_max_length,
    choose_validation,
    is_option,
)
from sktextcnn.text.tokens import FIRST_TOKEN, TokenIds, encode
from sktextcnn.text.vocabulary import (
    check_matches,
    check_vocabulary,
    extend_vocabulary,
    learn_vocabulary,
)


class TextCNNClassifier(CallbackSupportMixin, Predictor):
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
    max_df : int or float, default=1.0
        Number (int) or share (float) of training texts a token may occur in to be kept.
    max_features : int or None, default=50_000
        Keep so many tokens at most, the most frequent ones.
    max_length : int, float or None, default=0.95
        Truncate texts after so many tokens. A float is the share of the training texts that remain
        whole, but no text is truncated before its 128th token. None: no limit; memory then grows with
        the longest text.
    vocabulary : mapping, iterable of str or None, default=None
        Tokens fixed in advance, of which the texts must hold one at least; `min_df`, `max_df` and
        `max_features` are not used then.
    embedding_dim : int, default=128
        Length of a token's vector. Not used with `embeddings`, which bring their own.
    embeddings : WordVectors, path, mapping, (array, words) or None, default=None
        Pretrained word vectors: what `load_embeddings` returns, which clones share and a pickle holds
        once, or anything it takes, which is read again in every fit. Their words join the vocabulary,
        after the tokens of the texts and up to `max_features`. Tokens without a vector start random,
        with the variance of the others.
    embedding_mode : {"trainable", "static", "multichannel"}, default="trainable"
        Whether pretrained vectors are learned on, are left alone, or both: two vectors per token, of
        which one learns, and filters that see them side by side.
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
    linear : bool, default=True
        Whether a linear part stands beside the network: a linear SVM per label on tf-idf weights of
        n-grams, whose margins are added to the network's outputs. How much each of the two counts is
        found on held-out texts, so there is none where no text is held out, nor in `partial_fit`, since
        it does not learn by mini-batches. False leaves the pure network; `warm_start` needs that.
    linear_ngram_range : sequence of two int, default=(1, 2)
        Fewest and most tokens, 1 to 3, of its n-grams: those that at least two training texts hold.
    linear_char_ngram_range : sequence of two int or None, default=(4, 4)
        Fewest and most characters, 1 to 8, of n-grams within a token, blanks at its two ends among
        them, as of ``analyzer="char_wb"`` in
        :class:`~sklearn.feature_extraction.text.CountVectorizer`. They make use of word forms and of
        words that few training texts hold, or none. None: the linear part sees whole tokens alone.
    linear_C : float, default=1.0
        How much an error of its SVMs counts beside the size of their weights, as in `LinearSVC`.
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
        Fixes the label space and its order; with a 0/1 matrix y it names the columns. A model that goes
        on learning keeps its labels: naming others then is an error.
    engine : {"auto", "compiled", "keras"}, default="auto"
        Who trains. "compiled": the standard network in NumPy and compiled loops, without TensorFlow,
        several times faster on a processor. "keras": the same network, or `network`, in Keras' own
        layers and training loop, with `keras_callbacks`, on a GPU, in mixed precision or under a
        `tf.distribute` strategy. "auto": "keras" where `network` or `keras_callbacks` is given, else
        "compiled".
    network : callable or None, default=None
        Builds a network of one's own: gets, by name, those of ``n_tokens``, ``n_labels``,
        ``max_length``, ``embedding_dim``, ``filters``, ``kernel_sizes``, ``hidden_units``, ``dropout``
        and ``embeddings`` that its signature names, and returns a `keras.Model` from int32 ids (n, T),
        padded right with 0 to `max_length_`, to logits (n, k).
    n_jobs : int or None, default=None
        Validation folds, the final network and the linear part that are fitted at the same time, in
        threads. None: 1, unless in a `joblib.parallel_config` context; -1: all processors. The result is
        the same. A single network uses the processors for its products all the same; networks of Keras
        are trained one after the other.
    optimizer : {"adam", "adagrad", "sgd"}, default="adam"
        In the compiled engine, all of them leave alone the vectors of tokens that a batch does not hold.
    learning_rate : float, default=0.006
        Step size, at first.
    learning_rate_schedule : {"linear", "constant"}, default="linear"
        "linear": the step size falls in a straight line and reaches zero with the last of the `epochs`.
        With `warm_start` and in `partial_fit`, where nobody knows which epoch is the last, it stays at a
        third of `learning_rate` instead.
    batch_size : int or "auto", default="auto"
        Texts per step. "auto": 1 in 32 of the training texts, at least 16 and at most 64 of them.
    epochs : int or "auto", default="auto"
        Passes over the training texts; the most that early stopping allows. "auto": the fewer, the more
        texts there are, from 40 to 4.
    early_stopping : bool, default=True
        Stop when the `metric` of the network's predictions on held-out texts has not improved for
        `n_iter_no_change` epochs, and keep the best epoch. Without held-out texts, all epochs are run.
    n_iter_no_change : int, default=5
        Epochs to wait for an improvement.
    validation : float, int, splitter, None or "auto", default="auto"
        Which training texts are held out, for early stopping, tuned thresholds and the blend with the
        linear part. A float: that share of them, once; the final network never learns from those. An
        int: they are divided into so many parts, each of which is held out in turn, so that all texts
        help to choose thresholds; that costs a network for each part and a last one on all texts, for as
        many epochs as were best on the first part. A splitter of scikit-learn, such as
        `PredefinedSplit`: as it says; with one split like a float, with more like an int. None: no text
        is held out. "auto": 3, or 0.1 from 10,000 texts on (5,000 for one label per text) unless
        thresholds are tuned for "f1_macro", and with `warm_start`; None for fewer than 12 texts.
    threshold : float, array-like of shape (n_labels,), "tune" or "cardinality", default="tune"
        Probability from which a label is predicted. "tune": the thresholds with the best `metric` on
        held-out texts; one for each label or, for a callable, one for all. Where none are held out:
        0.5, or 1 / (m + 1) under "kl_divergence", m being the mean number of labels of a labelled
        training text. "cardinality": the one at which held-out texts get as many labels as training
        texts have.
        For one label per text it must be "tune", and the most probable class is predicted.
    metric : {"f1_micro", "f1_macro"} or callable, default="f1_micro"
        The measure that decisions are meant to do well on: early stopping watches it, and thresholds
        are tuned for it. A callable gets true and predicted labels, (n, k) 0/1 matrices or, for one
        label per text, 1-D codes, and returns a float, higher being better. If it has an argument
        `sample_weight`, and texts have weights that differ, it gets these, too.
    min_labels : int, default=0
        Predict so many labels at least.
    max_labels : int or None, default=None
        Predict so many labels at most. ``min_labels=k, max_labels=k``: the best k, always.
    random_state : int, RandomState instance or None, default=None
        Seed of all random choices. Two fits of the compiled engine with the same int give the same
        weights, bit for bit on the same machine and with the same versions, whatever the number of
        threads; Keras' as far as TensorFlow's operations do.
    verbose : int, default=0
        1 prints a line per epoch of every network and per fit of the linear part, with the time left of
        the whole fit.
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
    embedding_mode_ : str or None
        How the pretrained vectors are used that training started from, if any.
    max_length_ : int or None
        Number of tokens after which texts are cut.
    weights_ : dict of str to ndarray
        The network's weights: ``embedding`` (V + 2, D), ``convolution_{w}_kernel`` (w, D, F), and so
        on; of a `network` of one's own ``network_0`` and so on, and Keras' archive of the rest. And
        those of the linear part, if there is one: ``linear_kernel`` (n-grams, k) and so on,
        ``linear_blend`` (3, k) being the weights of the two parts and a constant.
    thresholds_ : ndarray of shape (k,)
        Probability from which each label is predicted. Assign to it to decide otherwise without
        fitting again.
    validation_score_ : float
        The `metric` on held-out texts, of network and linear part together. Somewhat above what new
        texts will give, as blend and thresholds were chosen on the same ones. NaN if none were held out.
    validation_label_scores_ : ndarray of shape (k,)
        F1 of each label there; NaN where no held-out text carries it.
    resolved_ : Resolved
        What the parameters that depend on the texts became, "auto" among them.
    history_ : dict of str to list of float
        Per epoch, or call of `partial_fit`: mean ``loss`` of a text, ``seconds``, and
        ``validation_score`` of the network under early stopping (NaN for epochs without). With several
        validation folds, those of the first network.
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
    Importing scikeras, which `fit` does with ``engine="keras"``, changes how Keras models are pickled in
    this process.

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
            Weight of each text: in the loss, and where it is held out, in early stopping and in the
            tuning of thresholds. A text of weight 0 is left out, but for its labels' place in
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
            If Keras is needed and runs on another backend than TensorFlow.
        """
        from sktextcnn import fitting

        engine = open_engine(self.engine, self.network, self.keras_callbacks)
        resumes = self.warm_start and hasattr(self, "weights_")
        if self.warm_start:
            self._check_resumes()
        if resumes:
            self._check_goes_on()
        texts, given, weight = read_input(
            X, y, sample_weight, self.classes_ if resumes else self.classes
        )
        if not given.matrix.nnz:
            raise ValueError("y holds no label anywhere: no text carries one.")
        vectors = None if resumes else check_embeddings(self.embeddings)
        fixed, tokens = self._fix(texts, given, vectors, resumes)
        ids = tokens.known(len(fixed["vocabulary_"]) + FIRST_TOKEN)
        start, settings = self._start(fixed, given, vectors, resumes, ends=not self.warm_start)
        plan = self._plan(given, settings.seed)
        judge = self._judge(given, fixed["loss_"], fixed["thresholds_"], weight)
        held_out = np.arange(0) if plan.refits or not plan.folds else plan.folds[0][1]
        monitored, truth = ids.take(held_out), given.matrix[held_out].toarray()

        def attributes(weights: Mapping) -> dict:
            logits = open_network(weights)(monitored)
            thresholds = judge.thresholds(logits, truth, weight[held_out])
            return {**fixed, "thresholds_": thresholds, "weights_": weights}

        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        callbacks = FitCallbacks(self, settings.epochs, attributes, X=X, y=y, metadata=metadata)
        networks = [(len(rows), settings.epochs) for rows, _ in plan.folds]
        networks += [(len(texts), settings.epochs)] * (plan.n_networks - len(plan.folds))
        n_linear = len(plan.folds) + 1 if plan.linear is not None and plan.folds else 0
        fitted = fitting.learn(
            start,
            self._examples(ids, given, weight),
            settings,
            tokens=tokens,
            vocabulary=sorted(fixed["vocabulary_"], key=fixed["vocabulary_"].__getitem__),
            plan=plan,
            judge=judge,
            engine=engine,
            observers=[callbacks],
            progress=Progress(self.verbose, networks, n_linear, _name_of(self.metric)),
            n_jobs=effective_n_jobs(self.n_jobs),
        )
        fixed = {
            **fixed,
            "thresholds_": fitted.thresholds,
            "weights_": fitted.weights,
            "validation_score_": fitted.score,
            "validation_label_scores_": fitted.label_scores,
            "resolved_": self._resolved(
                fixed,
                settings,
                engine=engine.name,
                folds=plan.folds,
                linear="linear_kernel" in fitted.weights,
            ),
        }
        callbacks.end_fit(fixed)
        history = fitted.history
        if resumes:
            history = fitting.join_histories(self.history_, history)
        return self._assign(fixed, fitted.state, history, keep_optimizer=self.warm_start)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> TextCNNClassifier:
        """Learn from a mini-batch: one pass over it, going on from the weights there are.

        No text is held out, so the network learns alone, and `early_stopping`, `linear` and
        ``threshold="tune"`` wait for a `fit`; `tune_thresholds` can follow. The first call fixes
        vocabulary and classes; with small batches, pass a `vocabulary` to the constructor. Callbacks are
        not called and nothing is printed.

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
            As in `fit`; and if the fitted model has a linear part, if `validation` or `threshold` ask
            for texts to be held out, with ``class_weight="balanced"``, or where `classes` differs from
            the first call's.
        TypeError, ImportError
            As in `fit`.
        """
        from sktextcnn import fitting

        resumes = hasattr(self, "weights_")
        if resumes:
            self._check_goes_on()
            check_same_classes(classes, self.classes_)
        self._check_learns_by_batches()
        engine = open_engine(self.engine, self.network, None)
        known = self.classes_ if resumes else self.classes if classes is None else classes
        texts, given, weight = read_input(X, y, sample_weight, known)
        vectors = None if resumes else check_embeddings(self.embeddings)
        fixed, tokens = self._fix(texts, given, vectors, resumes)
        ids = tokens.known(len(fixed["vocabulary_"]) + FIRST_TOKEN)
        if resumes:
            fixed["thresholds_"] = self.thresholds_
        state, settings = self._start(fixed, given, vectors, resumes, ends=False)
        settings = replace(settings, epochs=1)
        state, history = engine.train(state, self._examples(ids, given, weight), settings)
        if resumes:
            history = fitting.join_histories(self.history_, history)
        fixed = {
            **fixed,
            "weights_": state.weights,
            "validation_score_": np.nan,
            "validation_label_scores_": np.full(len(fixed["classes_"]), np.nan),
            "resolved_": self._resolved(fixed, settings, engine=engine.name, folds=[], linear=False),
        }
        return self._assign(fixed, state, history, keep_optimizer=True)

    def _check_goes_on(self) -> None:
        """Refuse, before texts are read, to go on learning from what cannot."""
        self._check_keeps_its_form(self.weights_, self.embedding_mode_)
        check_same_classes(self.classes, self.classes_)

    def _fix(
        self, texts: list[str], given: Labels, vectors: WordVectors | None, resumes: bool
    ) -> tuple[dict, TokenIds]:
        """Return the fitted attributes that are known before training, and the texts as ids.

        Tokens outside the vocabulary are told apart.
        """
        if resumes:
            check_kind(given.multilabel, self.multilabel_)
            vocabulary, max_length = self.vocabulary_, self.max_length_
            ids = encode(texts, self._tokenizer(), vocabulary, keep_unknown=True)
        else:
            if self.vocabulary is None:
                vocabulary, ids = learn_vocabulary(
                    texts,
                    self._tokenizer(),
                    min_df=self.min_df,
                    max_df=self.max_df,
                    max_features=self.max_features,
                )
                if vectors is not None:
                    find_tokens(vectors, vocabulary)  # some must have one, before others join them
                    words = usable_words(vectors, self._tokenizer())
                    vocabulary = extend_vocabulary(vocabulary, words, self.max_features)
                    ids = encode(texts, self._tokenizer(), vocabulary, keep_unknown=True)
            else:
                vocabulary = check_vocabulary(self.vocabulary)
                ids = encode(texts, self._tokenizer(), vocabulary, keep_unknown=True)
                if ids.known(len(vocabulary) + FIRST_TOKEN).flat.max(initial=0) < FIRST_TOKEN:
                    check_matches(vocabulary, texts, self._tokenizer(), lowercase=self.lowercase)
            max_length = choose_max_length(self.max_length, ids.lengths)
            if max_length is None and self.network is not None:  # to which its texts are padded
                max_length = max(1, int(ids.lengths.max()))
        loss = resolve_loss(self.loss, given.multilabel, len(given.classes))
        mode = self.embedding_mode_ if resumes else None if vectors is None else self.embedding_mode
        return {
            "vocabulary_": vocabulary,
            "classes_": given.classes,
            "multilabel_": given.multilabel,
            "sparse_output_": given.sparse,
            "loss_": loss,
            "embedding_mode_": mode,
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

    def _start(
        self, fixed: dict, given: Labels, vectors: WordVectors | None, resumes: bool, *, ends: bool
    ) -> tuple[State, Settings]:
        """Return the state to start training from, and how to train; `ends` if this is all of it."""
        sizes, n = check_kernel_sizes(self.kernel_sizes), given.matrix.shape[0]
        batch_size = choose_batch_size(self.batch_size, n)
        epochs = choose_epochs(self.epochs, n)
        learning_rate, decays = choose_learning_rate(
            self.learning_rate, self.learning_rate_schedule, ends=ends
        )
        settings = Settings(
            kernel_sizes=sizes,
            loss=fixed["loss_"],
            optimizer=self.optimizer,
            exclusive=is_exclusive(fixed["loss_"]),
            learning_rate=learning_rate,
            decays=decays,
            embedding_mode=fixed["embedding_mode_"] or "trainable",
            embedding_dropout=self.embedding_dropout,
            dropout=self.dropout,
            batch_size=batch_size,
            epochs=epochs,
            seed=int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max)),
        )
        if resumes:
            remembered = getattr(self, "optimizer_state_", {"epoch": self.n_epochs_})
            return State(self.weights_, **remembered), settings
        rng = np.random.default_rng(settings.seed)
        embedding = None
        if vectors is not None:
            embedding, _ = initial_embedding(vectors, fixed["vocabulary_"], rng)
        if self.network is not None:
            return State(self._own_network(fixed, embedding, settings.seed)), settings
        weights = initial_weights(
            rng,
            n_tokens=len(fixed["vocabulary_"]),
            n_labels=len(given.classes),
            embedding_dim=self.embedding_dim,
            embedding=embedding,
            n_channels=2 if self.embedding_mode == "multichannel" else 1,
            kernel_sizes=sizes,
            filters=self.filters,
            hidden_units=self.hidden_units,
            output_bias=prior_logits(
                np.bincount(given.matrix.indices, minlength=len(given.classes)),
                n,
                exclusive=settings.exclusive,
            ),
        )
        return State(weights), settings

    def _own_network(self, fixed: dict, embedding: np.ndarray | None, seed: int) -> dict:
        """Return the weights to start from of the network that `network` builds."""
        from sktextcnn.engine import own_network

        sizes = own_network.Sizes(
            n_tokens=len(fixed["vocabulary_"]) + FIRST_TOKEN,
            n_labels=len(fixed["classes_"]),
            max_length=fixed["max_length_"],
            kernel_sizes=check_kernel_sizes(self.kernel_sizes),
            embeddings=embedding,
            **{n: getattr(self, n) for n in ("embedding_dim", "filters", "hidden_units", "dropout")},
        )
        return own_network.hold(self.network, sizes, seed=seed)  # type: ignore[arg-type]

    def _plan(self, given: Labels, seed: int) -> Any:
        """Return which texts are held out, and what they are for."""
        from sktextcnn.fitting import LinearSettings, Plan

        n, several = given.matrix.shape[0], given.multilabel
        validation = choose_validation(
            self.validation, n, self.metric, multilabel=several, resumes=self.warm_start
        )
        rng = np.random.default_rng([seed, n])
        automatic = is_option(self.validation, "auto")
        folds = choose_folds(validation, given.matrix, rng, multilabel=several, at_most=automatic)
        if is_option(self.threshold, "cardinality") and not folds:
            raise ValueError(
                "threshold='cardinality' looks at held-out texts, and there are none: "
                + (f"validation={self.validation!r}" if not automatic else "X has too few to spare")
                + ". Hold some out, or use threshold='tune' or a number."
            )
        of_tokens, of_characters = self._ngram_ranges()
        linear = LinearSettings(of_tokens, of_characters, self.linear_C)
        return Plan(
            folds=folds,
            n_iter_no_change=self.n_iter_no_change if self.early_stopping else None,
            linear=linear if self.linear else None,
        )

    def _judge(self, given: Labels, loss: str, thresholds: np.ndarray, weight: np.ndarray) -> Judge:
        return Judge(
            rule=DecisionRule(
                multilabel=given.multilabel,
                exclusive=is_exclusive(loss),
                thresholds=thresholds,
                min_labels=self.min_labels,
                max_labels=self.max_labels,
            ),
            metric=self.metric,
            tuning=self.threshold if isinstance(self.threshold, str) else None,
            labels_per_text=float(
                np.average(given.matrix.getnnz(axis=1), weights=weight / weight.max())
            ),
        )

    def _examples(self, ids: TokenIds, given: Labels, weight: np.ndarray) -> Examples:
        return Examples(
            ids=ids,
            targets=given.matrix,
            sample_weight=weight.astype(np.float32),
            label_weight=label_weights(self.class_weight, given.matrix, given.classes, given.multilabel),
        )

    def _assign(
        self, fixed: dict, state: Any, history: dict, *, keep_optimizer: bool
    ) -> TextCNNClassifier:
        """Set all fitted attributes, together and last."""
        fitted = {**fixed, "history_": history, "n_epochs_": state.epoch}
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags


def _name_of(metric: str | Callable) -> str:
    return metric if isinstance(metric, str) else getattr(metric, "__name__", "score")
