"""`TextCNNClassifier`: parameters, fit and predict. It wires the stages and holds no algorithm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import _fit_context

from sktextcnn.callbacks import CallbackSupportMixin
from sktextcnn.checkpoints import check_checkpoint_dir
from sktextcnn.engine.engines import open_engine
from sktextcnn.engine.examples import State
from sktextcnn.engine.observers import History, join_histories
from sktextcnn.explain.explainer import Explainer
from sktextcnn.fitted import FittedState
from sktextcnn.inputs import check_alone, read_input, read_stream
from sktextcnn.labels.classes import extend_classes
from sktextcnn.preparation import Preparation
from sktextcnn.stream import TextStream
from sktextcnn.teaching import soften_targets
from sktextcnn.text.tokens import encode


class TextCNNClassifier(CallbackSupportMixin, Explainer, Preparation):
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
        n-grams, whose margins are blended with the network's outputs. The weights of the blend are
        fitted on held-out texts, so there is no linear part where no text is held out, nor in
        `partial_fit`, since it does not learn by mini-batches. False leaves the pure network;
        `warm_start` needs that.
    linear_ngram_range : sequence of two int, default=(1, 2)
        Fewest and most tokens, 1 to 3, of its n-grams: those that at least two training texts hold.
    linear_char_ngram_range : sequence of two int or None, default=(4, 4)
        Fewest and most characters, 1 to 8, of n-grams within a token, blanks at its two ends among
        them, as of ``analyzer="char_wb"`` in
        :class:`~sklearn.feature_extraction.text.CountVectorizer`. They make use of word forms and of
        words that few training texts hold, or none. None: the linear part sees whole tokens alone.
    linear_C : float, default=1.0
        Inverse of the regularization strength of its SVMs, as in `LinearSVC`.
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
        on learning keeps its labels, and gets more by `partial_fit` alone.
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
        "linear": the step size decays linearly and reaches zero with the last of the `epochs`.
        With `warm_start` and in `partial_fit`, where nobody knows which epoch is the last, it is a third
        of `learning_rate` throughout instead.
    batch_size : int or "auto", default="auto"
        Texts per step. "auto": 1 in 32 of the training texts, at least 16 and at most 64 of them.
    negative_samples : int or None, default=None
        For very many labels: a step computes the labels that the texts of its batch carry and, drawn at
        random, so many of the others, which stand for all others. The gradient is right on average, or
        under "kl_divergence" and "categorical_crossentropy" nearly so. None: a step computes all labels.
        Prediction always does. Needs the compiled engine.
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
        help to choose thresholds; that costs a network for each part and a final one on all texts, for
        as many epochs as were best on the first part. A splitter of scikit-learn, such as
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
    checkpoint_dir : str, path or None, default=None
        A folder in which `fit` stores what is done of it, and from which the next fit of the same
        parameters, texts and labels goes on if this one is interrupted; see :ref:`interrupted`. It needs
        a `random_state`. What a fit has come to stays there until you remove the folder. Not used by
        `partial_fit`.
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
        Number of tokens after which texts are truncated.
    weights_ : dict of str to ndarray
        The network's weights: ``embedding`` (V + 2, D), ``convolution_{w}_kernel`` (w, D, F), and so
        on; of a `network` of one's own ``network_0`` and so on, and Keras' archive of the rest.
    linear_part_ : LinearPart or None
        The linear part, if there is one: its ``ngrams``, ``kernel`` (n-grams, k) and ``bias`` (k,), and
        ``blend`` (3, k), the weights of network and margins in their sum and a constant.
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
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> TextCNNClassifier:
        """Learn from texts and their labels.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1), or TextStream
            Texts. A stream is read once; its token ids go to temporary files.
        y : labels, label sets or 0/1 matrix of n rows, default=None
            1-D labels mean one label per text; lists, tuples or sets of labels, 2-D 0/1 matrices
            (array, SciPy sparse, DataFrame) and label matrices mean several. A `TextStream` brings its
            labels, so there is no y then.
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
        OSError
            If a checkpoint cannot be written.

        Warns
        -----
        UserWarning
            If a part of a checkpoint is damaged; it is done again.
        """
        from sktextcnn.fitting.learning import learn

        check_checkpoint_dir(self.checkpoint_dir, self.random_state)
        engine = open_engine(self.engine, self.network, self.keras_callbacks, self.negative_samples)
        resumes = self.warm_start and hasattr(self, "weights_")
        if self.warm_start:
            self._check_resumes()
        if resumes:
            self._check_goes_on()
        classes = self.classes_ if resumes else self.classes
        if isinstance(X, TextStream):
            tokens, given, weight = read_stream(X, y, sample_weight, classes, self._numbering(resumes))
        else:
            texts, given, weight = read_input(X, y, sample_weight, classes)
            tokens = encode(texts, self._tokenizer(), {}, keep_unknown=True)
        if not given.matrix.nnz:
            raise ValueError("y holds no label anywhere: no text carries one.")
        begin = self._resume if resumes else self._begin
        fitted, tokens, start, settings = begin(tokens, given, ends=not self.warm_start)
        examples = self._examples(tokens, fitted, given, weight)
        plan = self._plan(given, tokens, settings.seed)
        evaluator = self._evaluator(fitted, given, weight)
        callbacks = self._fit_callbacks(
            fitted, examples, settings, plan, evaluator, X=X, y=y, sample_weight=sample_weight
        )
        vocabulary = sorted(fitted.vocabulary, key=fitted.vocabulary.__getitem__)
        checkpoint = self._checkpoint(
            engine.name, start, examples, settings, tokens, vocabulary, plan, evaluator
        )
        found = learn(
            start,
            examples,
            settings,
            tokens=tokens,
            vocabulary=vocabulary,
            plan=plan,
            evaluator=evaluator,
            engine=engine,
            observers=[callbacks],
            progress=self._progress(len(tokens), settings, plan),
            checkpoint=checkpoint,
            n_jobs=effective_n_jobs(self.n_jobs),
        )
        fitted = replace(
            fitted,
            thresholds=found.thresholds,
            weights=found.state.weights,
            linear_part=found.linear_part,
            validation_score=found.score,
            validation_label_scores=found.label_scores,
            resolved=self._resolved(
                fitted,
                settings,
                engine=engine.name,
                folds=plan.folds,
                linear=found.linear_part is not None,
            ),
        )
        fitted = _trained(fitted, found.state, found.history, goes_on=self.warm_start)
        callbacks.end_fit(fitted.attributes())
        return self._assign(fitted)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        new_words: bool | None = None,
        teacher: Any = None,
    ) -> TextCNNClassifier:
        """Learn from a mini-batch: one pass over it, going on from the weights there are.

        No text is held out, so the network learns alone, and `early_stopping`, `linear` and
        ``threshold="tune"`` wait for a `fit`; `tune_thresholds` can follow. The first call fixes
        vocabulary and classes, until a later one names more `classes`; with small batches, pass a
        `vocabulary` to the constructor. Callbacks are not called and nothing is printed.

        What a model learns late, it may learn at the cost of what it knew: :ref:`growing` says what
        keeps it from that.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1), or TextStream
            Texts. Of a stream, each chunk is a mini-batch; if one of them fails, the model is as it was
            before the first.
        y : labels, label sets or 0/1 matrix of n rows, default=None
            As in `fit`.
        classes : sequence or None, default=None
            All labels there will be; needed in the first call, unless y holds them all or the
            constructor got them. Later, all that the model knows and more: new ones get columns of
            their own, after the others, in the order in which they are named, and start from how
            frequent they are here. Their thresholds are those of no tuning.
        sample_weight : array-like of shape (n,) or None, default=None
            Weight of each text in the loss.
        new_words : bool or None, default=None
            Whether the vocabulary of a fitted model grows: tokens that it lacks and that `min_df` to
            `max_df` of these texts hold get vectors of their own, the most frequent first, up to
            `max_features` in all. They start from their vector in `embeddings` or else from that of
            unknown tokens. None: where `classes` names new labels, unless `vocabulary` is given.
        teacher : fitted classifier or None, default=None
            Speaks for the labels that it knows, in its ``classes_``, where y is silent: a label that a
            text carries in y is learned as ever, but one that it does not carry is learned to be as
            probable as the teacher's ``predict_proba`` says. So texts may be labelled with new labels
            alone; pass a copy of the model from before: ``teacher=copy.deepcopy(clf)``. Of labels that
            the teacher does not know, y says all. Needs ``loss="binary_crossentropy"``. None: y says
            all of every label.

        Returns
        -------
        self : TextCNNClassifier

        Raises
        ------
        ValueError
            As in `fit`; and if the fitted model has a linear part, if `validation` or `threshold` ask
            for texts to be held out, with ``class_weight="balanced"``, where `classes` lacks a known
            label, where a `network` of one's own would have to grow, or where the `teacher` does not
            suit the labels.
        TypeError, ImportError
            As in `fit`; TypeError also if `teacher` is no fitted classifier.

        Examples
        --------
        >>> clf = TextCNNClassifier(linear=False, min_df=1, epochs=50, random_state=0)
        >>> texts = ["a late goal", "the match", "a new law", "parliament votes"]
        >>> clf = clf.fit(texts, [["sport"], ["sport"], ["politics"], ["politics"]])
        >>> more, labels = ["a soup of beans", "a match of laws"], [["food"], ["politics", "sport"]]
        >>> clf = clf.partial_fit(more, labels, classes=[*clf.classes_, "food"])
        >>> clf.classes_.tolist(), "soup" in clf.vocabulary_
        (['politics', 'sport', 'food'], True)
        """
        if isinstance(X, TextStream):
            check_alone(y, sample_weight)
            return self._learn_by_chunks(X, classes=classes, new_words=new_words, teacher=teacher)
        resumes = hasattr(self, "weights_")
        known = self.classes
        if resumes:
            self._check_goes_on()
            known = extend_classes(self.classes_, classes)
        self._check_learns_by_batches()
        engine = open_engine(self.engine, self.network, None, self.negative_samples)
        texts, given, weight = read_input(X, y, sample_weight, known if classes is None else classes)
        numbered = encode(texts, self._tokenizer(), {}, keep_unknown=True)
        if resumes:
            given = given.ordered(known)
            if new_words is None:
                new_words = len(known) > len(self.classes_) and self.vocabulary is None
            fitted, tokens, start, settings = self._resume(
                numbered, given, ends=False, new_words=new_words
            )
            of_new = fitted.thresholds[len(self.classes_) :]
            fitted = replace(fitted, thresholds=np.concatenate([self.thresholds_, of_new]))
        else:
            fitted, tokens, start, settings = self._begin(numbered, given, ends=False)
        settings = replace(settings, epochs=1)
        examples = self._examples(tokens, fitted, given, weight)
        if teacher is not None:
            soft = soften_targets(given, fitted.loss, texts, teacher)
            examples = replace(examples, soft_targets=soft)
        state, history = engine.train(start, examples, settings)
        fitted = replace(
            fitted,
            weights=state.weights,
            validation_label_scores=np.full(len(fitted.classes), np.nan),
            resolved=self._resolved(fitted, settings, engine=engine.name, folds=[], linear=False),
        )
        return self._assign(_trained(fitted, state, history, goes_on=True))

    def _learn_by_chunks(self, stream: TextStream, **options: Any) -> TextCNNClassifier:
        """Learn from one chunk of a stream after the other, or from none of them."""
        before, first = self.__dict__.copy(), 0
        try:
            for texts, labels in stream.chunks():
                try:
                    self.partial_fit(texts, labels, **options)
                except (TypeError, ValueError) as error:
                    if not first or type(error) not in (TypeError, ValueError):
                        raise
                    where = f"In the chunk of the stream that begins with text {first} (from 0)"
                    raise type(error)(f"{where}: {error}") from error
                first += len(texts)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _assign(self, fitted: FittedState) -> TextCNNClassifier:
        """Set all fitted attributes, together and last."""
        self.__dict__.pop("optimizer_state_", None)
        self.__dict__.update(fitted.attributes())
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags


def _trained(fitted: FittedState, state: State, history: History, *, goes_on: bool) -> FittedState:
    """Add what training has left, and, if it may go on, what it needs for that."""
    if fitted.history:
        history = join_histories(fitted.history, history)
    remembered = None
    if goes_on:
        names = ("optimizer", "slots", "step", "epoch")
        remembered = {name: getattr(state, name) for name in names}
    return replace(fitted, history=history, n_epochs=state.epoch, optimizer_state=remembered)
