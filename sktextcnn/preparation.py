"""Before training: from parameters, texts and labels to the values that training works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sktextcnn.callbacks import FitCallbacks, Progress
from sktextcnn.checkpoints import Checkpoint, open_checkpoint
from sktextcnn.decision.evaluator import Evaluator
from sktextcnn.decision.held_out import in_parts
from sktextcnn.decision.rule import DecisionRule
from sktextcnn.decision.splits import choose_folds
from sktextcnn.decision.thresholds import resolve_thresholds
from sktextcnn.embeddings import (
    WordVectors,
    check_embeddings,
    find_tokens,
    initial_embedding,
    join_table,
    usable_words,
)
from sktextcnn.engine.engines import open_network
from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.weights import grow_weights, initial_weights, prior_logits
from sktextcnn.fitted import FittedState
from sktextcnn.fitting.plan import LinearSettings, Plan
from sktextcnn.inputs import check_known_classes, warn_if_sampled
from sktextcnn.labels.forms import Labels
from sktextcnn.objective import check_kind, is_exclusive, label_weights, resolve_loss
from sktextcnn.parameters import check_kernel_sizes
from sktextcnn.prediction import Predictor
from sktextcnn.resolved import (
    choose_batch_size,
    choose_epochs,
    choose_learning_rate,
    choose_linear_texts,
    choose_max_length,
    choose_validation,
    is_option,
)
from sktextcnn.text.numbering import TokenNumbering
from sktextcnn.text.tokens import FIRST_TOKEN, TokenIds
from sktextcnn.text.vocabulary import (
    check_matches,
    check_vocabulary,
    choose_vocabulary,
    extend_vocabulary,
    find_frequent,
)

#: What training starts from: all that is known of the model, the texts with tokens outside the
#: vocabulary told apart, the weights, and how to train.
Beginning = tuple[FittedState, TokenIds, State, Settings]


class Preparation(Predictor):
    """What `TextCNNClassifier` makes of its parameters and of training data, before it trains."""

    def _begin(self, numbered: TokenIds, given: Labels, *, ends: bool) -> Beginning:
        """Return what a new model starts from; `ends` if this is all of its training.

        The texts come with all their tokens told apart, in terms of no vocabulary.
        """
        vectors = check_embeddings(self.embeddings)
        vocabulary = self._choose_vocabulary(numbered, vectors)
        tokens = numbered.in_terms_of(vocabulary)
        max_length = choose_max_length(self.max_length, tokens.lengths)
        if max_length is None and self.network is not None:  # to which its texts are padded
            max_length = max(1, int(tokens.lengths.max()))
        mode = None if vectors is None else self.embedding_mode
        fitted = self._describe(given, vocabulary, max_length, mode)
        settings = self._settings(fitted, given, ends=ends)
        weights = self._first_weights(fitted, given, vectors, settings)
        return fitted, tokens.truncated(max_length), State(weights), settings

    def _resume(
        self, numbered: TokenIds, given: Labels, *, ends: bool, new_words: bool = False
    ) -> Beginning:
        """Return what the fitted model goes on from: with more labels or words than before, if new."""
        check_kind(given.multilabel, self.multilabel_)
        vocabulary = self._extend_vocabulary(numbered) if new_words else self.vocabulary_
        tokens = numbered.in_terms_of(vocabulary)
        fitted = self._describe(given, vocabulary, self.max_length_, self.embedding_mode_)
        fitted = replace(fitted, history=self.history_)
        settings = self._settings(fitted, given, ends=ends)
        remembered = getattr(self, "optimizer_state_", {"epoch": self.n_epochs_})
        state = State(self._grow_weights(fitted, given, settings), **remembered)
        return fitted, tokens.truncated(self.max_length_), state, settings

    def _extend_vocabulary(self, numbered: TokenIds) -> dict[str, int]:
        """Return the vocabulary, and the tokens of the texts that it lacks."""
        if self.vocabulary is not None:
            raise ValueError(
                "new_words=True adds tokens to the vocabulary, and vocabulary= fixes it in advance; "
                "set one of them to None."
            )
        frequent = find_frequent(numbered, min_df=self.min_df, max_df=self.max_df)
        return extend_vocabulary(self.vocabulary_, frequent, self.max_features)

    def _grow_weights(
        self, fitted: FittedState, given: Labels, settings: Settings
    ) -> dict[str, np.ndarray]:
        """Return the weights there are, and those of labels and words that they lack."""
        k, words = len(self.classes_), [*fitted.vocabulary][len(self.vocabulary_) :]
        if len(fitted.classes) == k and not words:
            return self.weights_
        if self.network is not None:
            raise ValueError(
                f"network= built a network for {k} labels and {len(self.vocabulary_)} tokens, and it "
                "cannot get more of them; fit a clone to texts of all labels."
            )
        vectors = check_embeddings(self.embeddings) if words else None
        return grow_weights(
            self.weights_,
            np.random.default_rng([settings.seed, self.n_epochs_]),
            vectors=join_table(self.weights_["embedding"], words, vectors),
            output_bias=_prior(given, exclusive=settings.exclusive)[k:],
        )

    def _numbering(self, resumes: bool) -> TokenNumbering:
        """Return what numbers the tokens of a stream, and drops none of a vocabulary that there is."""
        vocabulary = self.vocabulary_ if resumes else self.vocabulary
        kept = {} if vocabulary is None else check_vocabulary(vocabulary)
        return TokenNumbering(self._tokenizer(), at_least=self.max_features or 0, kept=kept)

    def _check_goes_on(self) -> None:
        """Refuse, before texts are read, to go on learning from what cannot."""
        self._check_keeps_its_form(self.weights_, self.linear_part_, self.embedding_mode_)
        check_known_classes(self.classes, self.classes_)

    def _choose_vocabulary(self, numbered: TokenIds, vectors: WordVectors | None) -> dict[str, int]:
        """Return a new model's vocabulary."""
        if self.vocabulary is not None:
            vocabulary = check_vocabulary(self.vocabulary)
            check_matches(vocabulary, numbered.unknown, lowercase=self.lowercase)
            return vocabulary
        vocabulary = choose_vocabulary(
            numbered, min_df=self.min_df, max_df=self.max_df, max_features=self.max_features
        )
        if vectors is None:
            return vocabulary
        find_tokens(vectors, vocabulary)  # some must have one, before others join them
        words = usable_words(vectors, self._tokenizer())
        return extend_vocabulary(vocabulary, words, self.max_features)

    def _describe(
        self,
        given: Labels,
        vocabulary: dict[str, int],
        max_length: int | None,
        embedding_mode: str | None,
    ) -> FittedState:
        """Return what is known of a model before training."""
        loss = resolve_loss(self.loss, given.multilabel, len(given.classes))
        return FittedState(
            vocabulary=vocabulary,
            classes=given.classes,
            multilabel=given.multilabel,
            sparse_output=given.sparse,
            loss=loss,
            embedding_mode=embedding_mode,
            max_length=max_length,
            thresholds=resolve_thresholds(
                self.threshold,
                loss=loss,
                matrix=given.matrix,
                multilabel=given.multilabel,
                min_labels=self.min_labels,
                max_labels=self.max_labels,
            ),
        )

    def _settings(self, fitted: FittedState, given: Labels, *, ends: bool) -> Settings:
        """Return how to train; `ends` if this is all of the training."""
        n, k = given.matrix.shape
        samples_labels = self.negative_samples is not None and self.negative_samples < k
        learning_rate, decays = choose_learning_rate(
            self.learning_rate, self.learning_rate_schedule, ends=ends
        )
        return Settings(
            kernel_sizes=check_kernel_sizes(self.kernel_sizes),
            loss=fitted.loss,
            optimizer=self.optimizer,
            exclusive=is_exclusive(fitted.loss),
            learning_rate=learning_rate,
            decays=decays,
            embedding_mode=fitted.embedding_mode or "trainable",
            negative_samples=self.negative_samples if samples_labels else None,
            embedding_dropout=self.embedding_dropout,
            dropout=self.dropout,
            batch_size=choose_batch_size(self.batch_size, n),
            epochs=choose_epochs(self.epochs, n),
            seed=int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max)),
        )

    def _first_weights(
        self, fitted: FittedState, given: Labels, vectors: WordVectors | None, settings: Settings
    ) -> dict[str, np.ndarray]:
        """Return the weights that a new network starts from."""
        rng = np.random.default_rng(settings.seed)
        embedding = None
        if vectors is not None:
            embedding, _ = initial_embedding(vectors, fitted.vocabulary, rng)
        if self.network is not None:
            return self._own_network(fitted, embedding, settings.seed)
        return initial_weights(
            rng,
            n_tokens=len(fitted.vocabulary),
            n_labels=len(fitted.classes),
            embedding_dim=self.embedding_dim,
            embedding=embedding,
            n_channels=2 if self.embedding_mode == "multichannel" else 1,
            kernel_sizes=settings.kernel_sizes,
            filters=self.filters,
            hidden_units=self.hidden_units,
            output_bias=_prior(given, exclusive=settings.exclusive),
        )

    def _own_network(self, fitted: FittedState, embedding: np.ndarray | None, seed: int) -> dict:
        """Return the weights to start from of the network that `network` builds."""
        from sktextcnn.engine import own_network

        sizes = own_network.Sizes(
            n_tokens=len(fitted.vocabulary) + FIRST_TOKEN,
            n_labels=len(fitted.classes),
            max_length=fitted.max_length,  # type: ignore[arg-type]
            kernel_sizes=check_kernel_sizes(self.kernel_sizes),
            embeddings=embedding,
            **{n: getattr(self, n) for n in ("embedding_dim", "filters", "hidden_units", "dropout")},
        )
        return own_network.hold(self.network, sizes, seed=seed)  # type: ignore[arg-type]

    def _examples(
        self, tokens: TokenIds, fitted: FittedState, given: Labels, weight: np.ndarray
    ) -> Examples:
        """Return what the network trains on."""
        return Examples(
            ids=tokens.known(len(fitted.vocabulary) + FIRST_TOKEN),
            targets=given.matrix,
            sample_weight=weight.astype(np.float32),
            label_weight=label_weights(self.class_weight, given.matrix, given.classes, given.multilabel),
        )

    def _plan(self, given: Labels, tokens: TokenIds, seed: int) -> Plan:
        """Return which texts are held out, what they are for, and which the linear part learns from."""
        n, several = given.matrix.shape[0], given.multilabel
        validation = choose_validation(
            self.validation, n, self.metric, multilabel=several, resumes=self.warm_start
        )
        rng = np.random.default_rng([seed, n])
        automatic = is_option(self.validation, "auto")
        folds = choose_folds(
            validation,
            given.matrix,
            rng,
            multilabel=several,
            is_sparse=given.sparse,
            at_most=automatic,
        )
        if is_option(self.threshold, "cardinality") and not folds:
            raise ValueError(
                "threshold='cardinality' looks at held-out texts, and there are none: "
                + (f"validation={self.validation!r}" if not automatic else "X has too few to spare")
                + ". Hold some out, or use threshold='tune' or a number."
            )
        of_tokens, of_characters = self._ngram_ranges()
        # The texts of a stream are on disk, but not their features, so there may be too many of those.
        sampled = self.linear and bool(folds) and tokens.on_disk
        rows = choose_linear_texts(tokens.lengths, seed) if sampled else None
        if rows is not None:
            warn_if_sampled(len(rows), n)
        linear = LinearSettings(of_tokens, of_characters, self.linear_C, rows)
        return Plan(
            folds=folds,
            n_iter_no_change=self.n_iter_no_change if self.early_stopping else None,
            linear=linear if self.linear else None,
            goes_on=self.warm_start,
        )

    def _evaluator(self, fitted: FittedState, given: Labels, weight: np.ndarray) -> Evaluator:
        """Return what is to be made of held-out texts."""
        return Evaluator(
            rule=DecisionRule(
                multilabel=given.multilabel,
                exclusive=is_exclusive(fitted.loss),
                thresholds=fitted.thresholds,
                min_labels=self.min_labels,
                max_labels=self.max_labels,
            ),
            metric=self.metric,
            tuning=self.threshold if isinstance(self.threshold, str) else None,
            labels_per_text=float(
                np.average(given.matrix.getnnz(axis=1), weights=weight / weight.max())
            ),
        )

    def _fit_callbacks(
        self,
        fitted: FittedState,
        examples: Examples,
        settings: Settings,
        plan: Plan,
        evaluator: Evaluator,
        **data: Any,
    ) -> FitCallbacks:
        """Return scikit-learn's callbacks, which see a model after each epoch."""
        held_out = np.arange(0) if plan.refits or not plan.folds else plan.folds[0][1]

        def attributes(weights: Mapping) -> dict:
            monitored = examples.take(held_out)
            logits = in_parts(open_network(weights), monitored.ids, len(fitted.classes))
            found = evaluator.collect(logits, monitored.targets)
            thresholds = evaluator.thresholds(found, monitored.sample_weight)
            return replace(fitted, thresholds=thresholds, weights=dict(weights)).attributes()

        sample_weight = data.pop("sample_weight")
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        return FitCallbacks(self, settings.epochs, attributes, metadata=metadata, **data)

    def _checkpoint(self, engine: str, start: State, *values: Any) -> Checkpoint:
        """Return where the parts of a fit are stored, which is known by all that they depend on."""
        # Keras' archive of a network says when it was made; the function that builds it does not.
        weights = {name: array for name, array in start.weights.items() if name != "network"}
        every = [replace(start, weights=weights), *values, self.network, self.keras_callbacks]
        return open_checkpoint(self.checkpoint_dir, every, engine=engine)

    def _progress(self, n: int, settings: Settings, plan: Plan) -> Progress:
        """Return what prints how far the fit is."""
        networks = [(len(rows), settings.epochs) for rows, _ in plan.folds]
        networks += [(n, settings.epochs)] * (plan.n_networks - len(plan.folds))
        n_linear = len(plan.folds) + 1 if plan.linear is not None and plan.folds else 0
        return Progress(self.verbose, networks, n_linear, _name_of(self.metric))


def _prior(given: Labels, *, exclusive: bool) -> np.ndarray:
    """Return the output bias that predicts how frequent the labels are in the texts given."""
    n, k = given.matrix.shape
    return prior_logits(np.bincount(given.matrix.indices, minlength=k), n, exclusive=exclusive)


def _name_of(metric: str | Callable) -> str:
    return metric if isinstance(metric, str) else getattr(metric, "__name__", "score")
