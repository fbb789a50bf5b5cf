"""The comparison with the linear model: same folds, fair models, an honest test."""

import json

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import KFold, RepeatedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktextcnn import as_label_matrix
from sktextcnn.metrics import get_scorer
from sktextcnn.model_selection import Comparison, LinearBaseline, compare_with_linear
from sktextcnn.model_selection.comparison import corrected_t_test
from tests.examples import TAGS, TEXTS, TOPICS, tiny

TEXTS, TAGS, TOPICS = TEXTS * 2, TAGS * 2, TOPICS * 2
FOLDS = KFold(3, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def comparison():
    return compare_with_linear(tiny(linear=True), TEXTS, TAGS, cv=FOLDS)


def test_every_model_has_the_scores_of_its_own_cross_validation(comparison):
    names = ["f1_micro", "f1_macro"]
    models = [
        tiny(linear=True),
        LinearBaseline(random_state=0),
        tiny(linear=False),
    ]
    for number, model in enumerate(models):
        alone = cross_validate(model, TEXTS, as_label_matrix(TAGS), cv=FOLDS, scoring=get_scorer(names))
        for name in names:
            np.testing.assert_array_equal(comparison.scores[name][number], alone[f"test_{name}"])
    assert comparison.models == ["TextCNNClassifier", "LinearBaseline", "network alone"]
    assert comparison.fit_seconds.shape == comparison.predict_seconds.shape == (3, 3)
    assert (comparison.fit_seconds > 0).all()
    assert (comparison.n_train.tolist(), comparison.n_test.tolist()) == ([16] * 3, [8] * 3)


def test_steps_before_the_classifier_stand_before_the_others_too(comparison):
    pipeline = make_pipeline(FunctionTransformer(), tiny(linear=True))
    wrapped = compare_with_linear(pipeline, TEXTS, TAGS, cv=FOLDS)
    assert wrapped.models == comparison.models
    for name, values in comparison.scores.items():
        np.testing.assert_array_equal(wrapped.scores[name], values)
    assert not hasattr(pipeline[-1], "weights_")


def test_one_label_per_text_and_a_network_without_linear_part_are_compared():
    found = compare_with_linear(tiny(), TEXTS, TOPICS, cv=2)
    assert found.models == ["TextCNNClassifier", "LinearBaseline"]
    assert [*found.scores] == ["accuracy", "f1_macro"]
    assert [*compare_with_linear(tiny(), TEXTS, TOPICS, cv=2, scoring="accuracy").scores] == ["accuracy"]


def test_differences_are_those_of_paired_folds(comparison):
    for item in comparison.differences:
        number = comparison.models.index(item.model)
        values = comparison.scores[item.measure]
        assert item.mean == pytest.approx((values[0] - values[number]).mean())
        assert np.isnan(item.p_value) or item.low <= item.mean <= item.high
    assert len(comparison.differences) == 4


def test_the_corrected_test_is_the_paired_one_where_nothing_overlaps():
    differences = np.random.default_rng(0).normal(0.02, 0.03, 8)
    mean, low, high, p_value = corrected_t_test(differences, ratio=0.0)
    plain = stats.ttest_1samp(differences, 0)
    assert p_value == pytest.approx(plain.pvalue)
    assert (low, high) == pytest.approx(tuple(plain.confidence_interval(0.95)))
    corrected = corrected_t_test(differences, ratio=0.25)
    assert corrected[3] > p_value
    assert corrected[1] < low < mean < high < corrected[2]
    # The interval holds 0 where the p-value is above 5 %, and there alone.
    assert (corrected[1] < 0 < corrected[2]) == (corrected[3] > 0.05)


def test_without_variance_there_is_no_test():
    for differences in ([0.1], [0.0, 0.0]):
        mean, *rest = corrected_t_test(np.array(differences), 0.5)
        assert mean == differences[0]
        assert np.isnan(rest).all()


def test_the_corrected_test_finds_differences_by_chance_about_as_often_as_it_says():
    """Cross-validated means of pure noise: the uncorrected test would err far more often."""
    rng = np.random.default_rng(0)
    wrong = {0.0: 0, 0.5: 0}
    for _ in range(400):
        # Folds share half of what makes them differ, as their training texts do.
        differences = rng.normal() / 2 + rng.normal(size=5)
        for ratio in wrong:
            wrong[ratio] += corrected_t_test(differences, ratio)[3] < 0.05
    assert wrong[0.5] < 0.05 * 400 < wrong[0.0]


def test_comparisons_can_be_read(comparison):
    text = str(comparison)
    assert text.startswith("3 models, 3 folds of about 16 texts to learn from and 8 to test on")
    assert "With so few folds (3) only large differences" in text
    assert "Nadeau and Bengio" in text
    frame = comparison.to_frame()
    assert frame.shape == (6, 9)
    assert frame["mean"].iloc[0] == comparison.scores["f1_micro"][0].mean()
    assert np.isnan(frame["difference"].iloc[0])
    html = comparison._repr_html_()
    assert html.count("<tr>") == 7
    assert "network alone" in html
    content = comparison.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert "3 folds" in repr(comparison)


def test_many_folds_are_not_called_few():
    zeros = np.zeros((2, 10))
    many = Comparison(["a", "b"], {"accuracy": zeros}, zeros, zeros, zeros[0] + 9, zeros[0] + 1)
    assert "few folds" not in str(many)
    assert RepeatedKFold(n_splits=5, n_repeats=2).get_n_splits() == 10


# -- bad input ---------------------------------------------------------------------------------------


def test_comparisons_refuse_what_is_no_classifier_of_ours():
    with pytest.raises(TypeError, match="clf is a LinearBaseline; expected a TextCNNClassifier"):
        compare_with_linear(LinearBaseline(), TEXTS, TAGS)
    with pytest.raises(ValueError, match="no measure 'f1_mirco'"):
        compare_with_linear(tiny(), TEXTS, TAGS, scoring="f1_mirco")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        compare_with_linear(tiny(), TEXTS[1:], TAGS)
