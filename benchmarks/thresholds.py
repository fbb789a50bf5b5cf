"""Compare rules that turn held-out scores into decisions, on training rows alone.

Rows are drawn at random from the training part, several times for each number of texts. The classifier
is fitted to them with its defaults, and every rule gets the scores that it tunes its own thresholds on:
those of the texts that it held out. The decisions are judged on 4,000 other training rows; and once more
with each label made more or less frequent there, as it may be in new texts: every label gets a weight, a
log-normal number, and a text the mean weight of its labels.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np
from _data import indicator, label_names, load
from quality import machine
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

SETS = ["reuters90", "goemotions", "stackoverflow30k", "tmdb_genres", "arxiv_cs"]
SIZES = [300, 1500]
#: Training rows that decisions are judged on.
N_JUDGED = 4000
#: Standard deviation of the logarithm of a label's weight where label shares are shifted.
SHIFT = 1.0
MEASURES = ["micro-F1", "macro-F1", "micro-F1, shifted", "macro-F1, shifted"]


# ---- Rules: held-out scores and their 0/1 labels, and the scores to decide on -> decisions.


def one_shared(scores, truth, new):
    """Take the best threshold for all labels together."""
    thresholds, n_predicted, hits = ways_to_decide(scores.ravel(), truth.ravel())
    return new >= thresholds[np.argmax(f1(hits, n_predicted, truth.sum()))]


def each_best(scores, truth, new):
    """Take each label's threshold of the best F1 (SCut; Yang 2001)."""

    def gain(label, n_predicted, hits):
        return f1(hits, n_predicted, truth[:, label].sum())

    return new >= best_thresholds(scores, truth, gain)[0]


def highest_micro(scores, truth, new):
    """Take the thresholds that have the highest micro-F1 together (Pillai et al. 2013)."""

    def thresholds_of(micro):
        return best_thresholds(
            scores, truth, lambda _, n_predicted, hits: 2 * hits - micro * n_predicted
        )

    micro, reached = -1.0, 0.0
    while reached > micro:
        micro = reached
        thresholds, n_predicted, hits = thresholds_of(micro)
        reached = f1(hits, n_predicted, truth.sum())
    return new >= thresholds


def micro_and_macro(scores, truth, new):
    """Take, from the most frequent label on, what is best for micro-F1 plus macro-F1 (Lin, Lin 2023)."""
    order = np.argsort(-truth.sum(axis=0), kind="stable")
    thresholds, n_predicted, n_hits, n_true = np.empty(len(order)), 0, 0, 0
    for number, label in enumerate(order, start=1):
        ways, n, hits = ways_to_decide(scores[:, label], truth[:, label])
        n_label = truth[:, label].sum()
        n_true += n_label
        gain = f1(n_hits + hits, n_predicted + n, n_true) + f1(hits, n, n_label) / number
        best = int(np.argmax(gain))
        thresholds[label], n_predicted, n_hits = ways[best], n_predicted + n[best], n_hits + hits[best]
    return new >= thresholds


def half_the_best(scores, truth, new):
    """Predict from a probability of half the best F1 on (Lipton et al. 2014)."""
    _, n_predicted, hits = ways_to_decide(scores.ravel(), truth.ravel())
    return calibrate(scores, truth, new) >= f1(hits, n_predicted, truth.sum()).max() / 2


def as_many_as_expected(scores, truth, new):
    """Predict the best labels, as many as their probabilities sum to (cf. Tang et al. 2009)."""
    number = np.round(calibrate(scores, truth, new).sum(axis=1))
    return np.argsort(np.argsort(-new, axis=1, kind="stable"), axis=1) < number[:, None]


def ours(metric):
    """Return the rule that the classifier follows for a metric."""

    def rule(scores, truth, new):
        from sktextcnn.decision.thresholds import tune_thresholds

        return new >= tune_thresholds(scores, truth, metric)

    return rule


SHARED = "one shared threshold"
RULES = {
    SHARED: one_shared,
    'ours, "f1_micro"': ours("f1_micro"),
    'ours, "f1_macro"': ours("f1_macro"),
    "highest micro-F1, unshrunk": highest_micro,
    "each label's best F1, unshrunk": each_best,
    "micro-F1 + macro-F1": micro_and_macro,
    "half the best F1": half_the_best,
    "as many labels as expected": as_many_as_expected,
}


def f1(hits, n_predicted, n_true):
    return 2 * hits / np.maximum(n_predicted + n_true, 1)


def ways_to_decide(scores, truth):
    """Return the thresholds between scores, from none predicted on, their predictions and their hits."""
    order = np.argsort(-scores, kind="stable")
    descending = np.concatenate([[1.0], scores[order], [0.0]])
    hits = np.concatenate([[0], np.cumsum(truth[order])])
    differs = descending[:-1] > descending[1:]
    differs[0] = True
    return ((descending[:-1] + descending[1:]) / 2)[differs], np.flatnonzero(differs), hits[differs]


def best_thresholds(scores, truth, gain):
    """Return each label's threshold of the highest gain, and how many predictions and hits they have.

    ``gain(label, n_predicted, hits)`` gets arrays, and returns one.
    """
    thresholds, n_predicted, n_hits = np.empty(scores.shape[1]), 0, 0
    for label in range(scores.shape[1]):
        ways, n, hits = ways_to_decide(scores[:, label], truth[:, label])
        best = int(np.argmax(gain(label, n, hits)))
        thresholds[label], n_predicted, n_hits = ways[best], n_predicted + n[best], n_hits + hits[best]
    return thresholds, n_predicted, n_hits


def calibrate(scores, truth, new):
    """Make new scores probabilities, by one line through the log-odds of all labels (Platt 1999)."""

    def log_odds(scores):
        return logit(np.clip(scores, 1e-6, 1 - 1e-6)).reshape(-1, 1)

    line = LogisticRegression().fit(log_odds(scores), truth.ravel())
    return expit(line.decision_function(log_odds(new))).reshape(new.shape)


# ---- Scores


def draw(name, n, number):
    """Return (texts, 0/1 labels) of n training rows, and of those to judge by."""
    texts, labels, *_ = load(name, n_rows=30_000)
    rows = np.random.default_rng([number, n]).permutation(len(texts))[: n + N_JUDGED]
    classes = label_names([labels[row] for row in rows[:n]])
    return [
        ([texts[row] for row in part], indicator([labels[row] for row in part], classes))
        for part in (rows[:n], rows[n:])
    ]


def find_scores(train, texts, number):
    """Fit, and return the scores and 0/1 labels of held-out texts, and the scores of other texts."""
    from sktextcnn import TextCNNClassifier
    from sktextcnn.decision.thresholds import tune_thresholds

    # A fit hands its held-out scores to no one else. Its last thresholds are those that it keeps.
    with patch("sktextcnn.decision.evaluator.tune_thresholds", wraps=tune_thresholds) as tune:
        model = TextCNNClassifier(random_state=number).fit(*train)
    scores, truth = tune.call_args.args[:2]
    return scores.astype(np.float64), truth, model.predict_proba(texts)


def judge(scores, truth, new, new_truth, number):
    """Return rule -> F1, one value for each of `MEASURES`."""
    label_weight = np.random.default_rng(number).lognormal(sigma=SHIFT, size=truth.shape[1])
    n_labels = new_truth.sum(axis=1)
    weight = np.where(n_labels > 0, new_truth @ label_weight / np.maximum(n_labels, 1), 1.0)
    found = {}
    for rule, decide in RULES.items():
        decisions = decide(scores, truth, new)
        found[rule] = [
            f1_score(new_truth, decisions, average=average, sample_weight=each, zero_division=0)
            for each in (None, weight)
            for average in ("micro", "macro")
        ]
    return found


def measure(name, n, number):
    """Run all rules on one draw, in a process of its own."""
    train, (texts, truth) = draw(name, n, number)
    return judge(*find_scores(train, texts, number), truth, number)


def report(results, n_draws):
    """Return the results as Markdown: from those of each set, number of texts and draw."""
    lines = [
        f"{machine()}. Mean over {len({key[0] for key in results})} sets and {n_draws} draws each; in "
        f"brackets, in how many of them a rule is ahead of {SHARED}.",
    ]
    for n in sorted({key[1] for key in results}):
        runs = [run for key, run in results.items() if key[1] == n]
        shared = np.array([run[SHARED] for run in runs])
        lines += [
            "",
            f"{n:,} texts, {len(runs)} fits:",
            "",
            f"| rule | {' | '.join(MEASURES)} |",
            f"|---|{'---:|' * len(MEASURES)}",
        ]
        for rule in RULES:
            values = np.array([run[rule] for run in runs])
            means, ahead = values.mean(axis=0), (values > shared).sum(axis=0)
            cells = [
                f"{mean:.3f}" + (f" ({count})" if rule != SHARED else "")
                for mean, count in zip(means, ahead, strict=True)
            ]
            lines.append(f"| {rule} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    """Read the arguments, run every fit and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--out", type=Path, help="Markdown file to write the tables to")
    args = parser.parse_args()

    results = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in args.sets:
            for n in args.sizes:
                for number in range(args.draws):
                    run = pool.submit(measure, name, n, number).result()
                    results[name, n, number] = run
                    found = (f"{rule} {values[0]:.3f}" for rule, values in run.items())
                    print(name, n, number, *found, sep=", ", file=sys.stderr, flush=True)
            if args.out:
                args.out.write_text(report(results, args.draws), encoding="utf-8")
    print(report(results, args.draws), end="")


if __name__ == "__main__":
    main()
