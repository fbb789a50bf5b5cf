"""Word vectors, learned elsewhere or from unlabelled texts, and the table that training starts from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from numbers import Integral
from typing import Any, NamedTuple
from warnings import warn

import numpy as np

from sktextcnn.text.checks import check_texts
from sktextcnn.text.cooccurrence import learn_vectors
from sktextcnn.text.tokens import (
    FIRST_TOKEN,
    PADDING,
    TOKEN_PATTERN,
    UNKNOWN,
    Tokenize,
    build_tokenizer,
)
from sktextcnn.text.vector_files import Entries, Found, collect, read_file
from sktextcnn.text.vocabulary import learn_vocabulary


class Coverage(NamedTuple):
    """How much of a text collection word vectors know; see `WordVectors.coverage`.

    Attributes
    ----------
    tokens : float
        Share of the distinct tokens that have a vector.
    occurrences : float or None
        The same with each token counted as often as it occurs; None without counts.
    missing : tuple of str
        Up to ten tokens without a vector, the most frequent first.
    """

    tokens: float
    occurrences: float | None
    missing: tuple[str, ...]


class WordVectors:
    """Words and their vectors, read-only; made by `load_embeddings` and `learn_embeddings`.

    Because nothing in it can change, copies share it: `sklearn.base.clone` hands the same object to
    every clone of an estimator, and a pickle holds it once.

    A token is looked up as it is, then in lower case, then capitalised, then in upper case; so "london"
    and "nato" find "London" and "NATO" where the vectors are of words as they were written.

    Parameters
    ----------
    words : sequence of str
        Distinct words.
    vectors : ndarray of shape (n_words, dim), dtype float32
        Not copied.

    Attributes
    ----------
    words : tuple of str
        In the order of the rows of `vectors`.
    vectors : ndarray of shape (n_words, dim), dtype float32
        Read-only.
    dim : int
        Length of a vector.

    Examples
    --------
    >>> from sktextcnn import load_embeddings
    >>> vectors = load_embeddings({"news": [0.5, 1.0], "London": [0.0, -1.0]})
    >>> vectors
    WordVectors(n_words=2, dim=2)
    >>> "news" in vectors, "london" in vectors
    (True, False)
    >>> vectors["London"]
    array([ 0., -1.], dtype=float32)
    >>> vectors.coverage(["the", "london", "news", "!"])
    Coverage(tokens=0.5, occurrences=None, missing=('the', '!'))
    """

    __slots__ = ("_rows", "_vectors")

    def __init__(self, words: Sequence[str], vectors: np.ndarray) -> None:
        self._rows = {word: row for row, word in enumerate(words)}
        self._vectors = vectors.view()
        self._vectors.flags.writeable = False

    @property
    def words(self) -> tuple[str, ...]:
        """The words, in the order of the rows of `vectors`."""
        return tuple(self._rows)

    @property
    def vectors(self) -> np.ndarray:
        """The vectors as the rows of a read-only float32 array, (n_words, dim)."""
        return self._vectors

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._vectors.shape[1]

    # No __iter__: NumPy would take the object for a sequence of words.

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, word: object) -> bool:
        return word in self._rows

    def __getitem__(self, word: str) -> np.ndarray:
        return self._vectors[self._rows[word]]

    def __repr__(self) -> str:
        return f"WordVectors(n_words={len(self)}, dim={self.dim})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WordVectors):
            return NotImplemented
        return self is other or (
            self.words == other.words and np.array_equal(self._vectors, other._vectors)
        )

    def __hash__(self) -> int:
        return hash((self._vectors.shape, *islice(self._rows, 10)))

    def __copy__(self) -> WordVectors:
        return self

    def __deepcopy__(self, memo: Any) -> WordVectors:
        return self

    def __reduce__(self) -> tuple:
        return WordVectors, (self.words, self._vectors)

    def find(self, tokens: Iterable[str]) -> np.ndarray:
        """Return where the vectors of tokens are.

        Parameters
        ----------
        tokens : iterable of str
            Each is looked up as it is, in lower case, capitalised, in upper case.

        Returns
        -------
        ndarray of shape (n_tokens,), dtype intp
            Rows of `vectors`; -1 for a token without a vector.
        """
        rows = self._rows
        return np.array(
            [next((rows[form] for form in _forms(token) if form in rows), -1) for token in tokens],
            dtype=np.intp,
        )

    def coverage(self, tokens: Iterable[str], counts: Any = None) -> Coverage:
        """Return how many tokens have a vector.

        Parameters
        ----------
        tokens : iterable of str
            Distinct tokens, such as the attribute ``vocabulary_`` of a fitted classifier, or a
            `collections.Counter`.
        counts : array-like of shape (n_tokens,) or None, default=None
            How often each of them occurs.

        Returns
        -------
        Coverage
            The shares of tokens and of occurrences with a vector, and some tokens without.

        Raises
        ------
        ValueError
            If there are no tokens, or `counts` does not hold one number from 0 on for each.
        """
        tokens = [*tokens]
        if not tokens:
            raise ValueError("tokens is empty; pass at least one token.")
        covered = self.find(tokens) >= 0
        weights = np.array([1.0] * len(tokens) if counts is None else [*counts], float)
        if weights.shape != covered.shape or not (weights >= 0).all() or not weights.any():
            raise ValueError(
                f"counts has shape {weights.shape}; expected one number for each of the {len(tokens)} "
                "tokens, none of them negative and not all 0."
            )
        frequent = np.argsort(-weights, kind="stable")
        return Coverage(
            tokens=float(covered.mean()),
            occurrences=None if counts is None else float(np.average(covered, weights=weights)),
            missing=tuple(tokens[i] for i in frequent[~covered[frequent]][:10]),
        )


def _forms(token: str) -> tuple[str, ...]:
    return token, token.lower(), token.capitalize(), token.upper()


# -- reading -----------------------------------------------------------------------------------------


def load_embeddings(
    source: Any, words: Sequence[str] | None = None, *, limit: int | None = None, only: Any = None
) -> WordVectors:
    """Read word vectors.

    Parameters
    ----------
    source : path, mapping, array of shape (n_words, dim), gensim KeyedVectors or WordVectors
        A file in the text or binary format of word2vec or the text format of GloVe, which may be
        compressed with gzip; which one it is shows in the file. Or a mapping of word -> vector, an array
        with its `words`, a pair (array, words), or an object with the attributes ``index_to_key`` and
        ``vectors``.
    words : sequence of str or None, default=None
        The word of each row, where `source` is an array.
    limit : int or None, default=None
        Read the first so many words alone. Files that list frequent words first are rarely needed
        whole.
    only : iterable of str or None, default=None
        Keep the vectors that these tokens can make use of, and no others: for example the keys of a
        vocabulary. It saves memory, also in the pickles of estimators.

    Returns
    -------
    WordVectors
        Words that come more than once keep their first vector, with a warning.

    Raises
    ------
    ValueError
        If a file is damaged, cut off or in another format, a word is not UTF-8, vectors differ in length
        or hold anything but finite numbers, there are more or fewer words than vectors, or none is left.
    TypeError
        If `source` is of another type, or a word is not a str.
    OSError
        If the file cannot be opened.

    See Also
    --------
    sktextcnn.TextCNNClassifier : Takes the result as `embeddings`.

    Notes
    -----
    Vectors are held as float32. A float32 array that is read-only is shared rather than copied.

    In text files a word may contain spaces, as some of GloVe's do, unless what follows the last space is
    a number.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn import load_embeddings
    >>> load_embeddings(np.eye(3), ["the", "a", "news"])
    WordVectors(n_words=3, dim=3)
    >>> load_embeddings(np.eye(3), ["the", "a", "news"], only=["News", "flash"]).words
    ('news',)
    """
    return _load(source, "source", words, limit, only)


def learn_embeddings(
    texts: Any,
    *,
    dim: int = 128,
    window: int = 5,
    min_df: int | float = 5,
    max_features: int | None = 30_000,
    analyzer: str | Callable = "word",
    lowercase: bool = True,
    strip_accents: str | Callable | None = None,
    token_pattern: str | None = TOKEN_PATTERN,
    tokenizer: Callable | None = None,
    random_state: Any = None,
) -> WordVectors:
    """Learn word vectors from texts that need no labels.

    Where few texts are labelled and many are not, the others tell which words are used alike: their
    vectors as `embeddings` are a better start than random ones, and let words count that no labelled
    text holds. Positive pointwise mutual information of neighbouring tokens, decomposed into singular
    values [1]_; it takes seconds for some ten thousand texts.

    Parameters
    ----------
    texts : 1-D sequence of str, or a column of shape (n, 1)
        Labelled texts may be among them, and those to be tagged later.
    dim : int, default=128
        Length of a vector.
    window : int, default=5
        How far away a neighbour may be, in tokens.
    min_df : int or float, default=5
        Texts that must hold a token for it to get a vector; a float is a share of the texts.
    max_features : int or None, default=30_000
        Vectors at most, of the most frequent tokens.
    analyzer, lowercase, strip_accents, token_pattern, tokenizer : as of `TextCNNClassifier`
        What a token is, for the classifier that is to use the vectors.
    random_state : int, RandomState instance or None, default=None
        Of the decomposition, which is randomised. An int gives the same vectors every time.

    Returns
    -------
    WordVectors
        All of one length.

    Raises
    ------
    ValueError
        If fewer than ``dim + 1`` tokens are frequent enough, or a number is not positive.
    TypeError
        If a text is not a str.

    See Also
    --------
    load_embeddings : Vectors that others have learned, from far more text.

    References
    ----------
    .. [1] O. Levy, Y. Goldberg and I. Dagan (2015), Improving Distributional Similarity with Lessons
       Learned from Word Embeddings, TACL 3, https://doi.org/10.1162/tacl_a_00134.

    Examples
    --------
    >>> from sktextcnn import TextCNNClassifier, learn_embeddings
    >>> unlabelled = ["a late goal", "an early goal", "a late vote", "an early vote"] * 5
    >>> vectors = learn_embeddings(unlabelled, dim=2, random_state=0)
    >>> vectors
    WordVectors(n_words=6, dim=2)
    >>> clf = TextCNNClassifier(embeddings=vectors, min_df=1)
    """
    given: dict[str, Any] = {"dim": dim, "window": window}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}={value!r}; expected an int of at least 1.")
    tokenize = build_tokenizer(
        analyzer=analyzer,
        lowercase=lowercase,
        strip_accents=strip_accents,
        token_pattern=token_pattern,
        tokenizer=tokenizer,
    )
    vocabulary, ids = learn_vocabulary(
        check_texts(texts), tokenize, min_df=min_df, max_features=max_features
    )
    if len(vocabulary) <= dim:
        raise ValueError(
            f"dim={dim}, but only {len(vocabulary)} tokens occur in min_df={min_df} texts; expected "
            "more tokens than that. Lower dim or min_df, or pass more texts."
        )
    vectors = learn_vectors(ids, len(vocabulary), dim=dim, window=window, random_state=random_state)
    return WordVectors([*vocabulary], vectors)


def check_embeddings(embeddings: Any) -> WordVectors | None:
    """Return the word vectors that the parameter `embeddings` of an estimator means.

    Parameters
    ----------
    embeddings : WordVectors, any `source` of `load_embeddings`, or None

    Returns
    -------
    WordVectors or None

    Raises
    ------
    ValueError, TypeError, OSError
        As `load_embeddings` does.
    """
    return None if embeddings is None else _load(embeddings, "embeddings", None, None, None)


def _load(source: Any, name: str, words: Any, limit: int | None, only: Any) -> WordVectors:
    if limit is not None and (not hasattr(limit, "__index__") or limit < 1):
        raise ValueError(f"limit={limit!r}; expected a number of words from 1 on, or None for all.")
    if isinstance(only, str):
        raise TypeError("only is a single str; pass the tokens to keep as a list: [token].")
    wanted = None if only is None else {form for token in only for form in _forms(token)}
    if words is not None and isinstance(source, (Mapping, str, os.PathLike, WordVectors)):
        raise TypeError(
            f"words names the rows of an array, but {name} is a {type(source).__name__}; leave it out."
        )
    if words is None:
        if isinstance(source, tuple) and len(source) == 2:
            source, words = source
        elif isinstance(source, WordVectors):
            if limit is None and wanted is None:
                return source
            source, words = source.vectors, source.words
        else:
            keyed = getattr(source, "wv", source)  # a gensim model holds its vectors there
            if hasattr(keyed, "index_to_key") and hasattr(keyed, "vectors"):
                source, words = keyed.vectors, keyed.index_to_key
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
        if words is not None:
            found = _from_array(source, words, limit, wanted, name)
        elif isinstance(source, Mapping):
            found = _from_mapping(source, limit, wanted, name)
        elif isinstance(source, (str, os.PathLike)):
            name = repr(os.fspath(source))
            found = read_file(source, limit, wanted, name)
        else:
            raise TypeError(
                f"{name} is a {type(source).__name__}; pass what load_embeddings returns, a path, a "
                "mapping of word -> vector, a pair (array, words) or gensim's KeyedVectors."
            )
    words, vectors, repeated = found
    if not vectors.size:
        among = "" if only is None else " of the words in only"
        raise ValueError(f"{name} holds no vectors{among}; at least one is needed.")
    for start in range(0, len(vectors), 8192):
        broken = ~np.isfinite(vectors[start : start + 8192]).all(axis=1)
        if broken.any():
            word = words[start + int(broken.argmax())]
            raise ValueError(f"The vector of {word!r} in {name} is not finite, at least in float32.")
    if repeated:
        warn(
            f"{name} holds {len(repeated)} vectors of words that came before, the first being of "
            f"{repeated[0]!r}; each word keeps its first vector.",
            UserWarning,
            stacklevel=3,
        )
    return WordVectors(words, vectors)


def _from_array(array: Any, words: Any, limit: int | None, wanted: set | None, name: str) -> Found:
    vectors = np.asarray(array)
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise TypeError(f"The words of {name} are a {type(words).__name__}; pass a list of str.")
    words = words.tolist() if hasattr(words, "tolist") else [*words]
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise ValueError(
            f"The array of {name} has shape {vectors.shape} and dtype {vectors.dtype}; expected "
            "numbers of shape (n_words, dim)."
        )
    if len(vectors) != len(words):
        raise ValueError(
            f"The array of {name} has {len(vectors)} rows, but there are {len(words)} words; expected "
            "as many."
        )
    rows: dict[str, int] = {}
    repeated = []
    for row, word in enumerate(words[:limit]):
        _check_word(word, name)
        if (wanted is None or word in wanted) and rows.setdefault(word, row) != row:
            repeated.append(word)
    if len(rows) < len(vectors):
        vectors = vectors[[*rows.values()]]
    elif vectors.flags.writeable:
        vectors = np.array(vectors, np.float32, order="C")
    return [*rows], np.ascontiguousarray(vectors, np.float32), repeated


def _check_word(word: Any, name: str) -> None:
    if not isinstance(word, str):
        raise TypeError(f"{name} holds the word {word!r} of type {type(word).__name__}; expected a str.")


def _from_mapping(mapping: Mapping, limit: int | None, wanted: set | None, name: str) -> Found:
    dim = len(np.atleast_1d(next(iter(mapping.values()), ())))

    def entries() -> Entries:
        for word, value in mapping.items():
            _check_word(word, name)
            vector = np.asarray(value)
            if vector.shape != (dim,) or vector.dtype.kind not in "fiu":
                raise ValueError(
                    f"{name}[{word!r}] has shape {vector.shape} and dtype {vector.dtype}; expected a "
                    f"1-D vector of numbers, as long as the first, {dim}."
                )
            yield word, vector

    return collect(entries(), dim, len(mapping), limit, wanted)


# -- the table that training starts from ------------------------------------------------------------


def usable_words(vectors: WordVectors, tokenize: Tokenize) -> Iterator[str]:
    """Yield the words that texts can hold, as the tokens that find them.

    Parameters
    ----------
    vectors : WordVectors
    tokenize : callable
        From a text to its tokens.

    Yields
    ------
    str
        What a word becomes when it is read as a text, if that is one token with a vector.
    """
    for word in vectors.words:
        tokens = tokenize(word)
        if len(tokens) == 1 and vectors.find(tokens)[0] >= 0:
            yield tokens[0]


def find_tokens(vectors: WordVectors, vocabulary: Mapping[str, int]) -> np.ndarray:
    """Return the row of each token's vector, -1 where there is none.

    Parameters
    ----------
    vectors : WordVectors
    vocabulary : mapping of str to int
        Token -> position, 0 to V - 1.

    Returns
    -------
    ndarray of shape (V,)

    Raises
    ------
    ValueError
        If no token has a vector.
    """
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    rows = vectors.find(tokens)
    if not (rows >= 0).any():
        raise ValueError(
            f"None of the {len(tokens)} tokens of the vocabulary ({_examples(tokens)}) is among the "
            f"{len(vectors)} words of the embeddings ({_examples(vectors.words)}). They may be of "
            "another language, or texts may be split in another way."
        )
    return rows


def initial_embedding(
    vectors: WordVectors, vocabulary: Mapping[str, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings to start from: word vectors where there are some, random ones elsewhere.

    Random vectors have mean 0 and in each dimension the variance of the vectors that are used, as
    proposed by Kim (2014), https://aclanthology.org/D14-1181, section 4.3, but are normal rather than
    uniform. What is drawn for a token does not depend on which others have a vector, but for its scale.

    Parameters
    ----------
    vectors : WordVectors
    vocabulary : mapping of str to int
        Token -> position, 0 to V - 1.
    rng : numpy.random.Generator

    Returns
    -------
    table : ndarray of shape (V + 2, dim), dtype float32
        Row 0 pads and is zero, row 1 stands for unknown tokens, row ``position + 2`` for a token.
    covered : ndarray of shape (V + 2,), dtype bool
        Which rows are word vectors.

    Raises
    ------
    ValueError
        If no token has a vector.
    """
    rows = find_tokens(vectors, vocabulary)
    covered = np.concatenate([np.zeros(FIRST_TOKEN, bool), rows >= 0])
    known = vectors.vectors[rows[rows >= 0]]
    # A single vector has no variance of its own in each dimension.
    scale = known.std(axis=0) if len(known) > 1 else known.std()
    table = rng.standard_normal((len(covered), vectors.dim), np.float32) * scale
    table[covered] = known
    table[PADDING] = 0.0
    return table, covered


def join_table(table: np.ndarray, tokens: Sequence[str], vectors: WordVectors | None) -> np.ndarray:
    """Return the vectors with which new tokens join a table that has learned.

    Parameters
    ----------
    table : ndarray of shape (V + 2, D), dtype float32
        See `initial_embedding`; its channels, if there are several, lie side by side.
    tokens : sequence of str of length m
    vectors : WordVectors or None
        Those that the table began with, if there were any.

    Returns
    -------
    ndarray of shape (m, D), dtype float32
        Word vectors where there are some. Any other token starts from the vector of unknown tokens,
        which stood for it until now: so nothing changes before it learns.

    Raises
    ------
    ValueError
        If the word vectors are of another length than the table's.
    """
    joined = np.repeat(table[[UNKNOWN]], len(tokens), axis=0)
    if vectors is None or not tokens:
        return joined
    n_channels, rest = divmod(table.shape[1], vectors.dim)
    if rest or n_channels > 2:
        raise ValueError(
            f"embeddings has vectors of length {vectors.dim}, and the fitted model of "
            f"{table.shape[1]}; pass those that it was fitted with, or None, with which new tokens "
            "start from the vector of unknown ones."
        )
    rows = vectors.find(tokens)
    joined[rows >= 0] = np.tile(vectors.vectors[rows[rows >= 0]], n_channels)
    return joined


def _examples(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words[:3])) + (", ..." if len(words) > 3 else "")
