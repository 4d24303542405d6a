"""k-means on a line: against SciPy's, and against what a clustering must be."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.cluster.vq import kmeans2

import qlab
from qlab.arithmetic.clusters import CLUSTERS, bits_per_weight, cluster, require_clusters


def and_clusters(weights):
    """The weights, with any number of clusters that they have different values for."""
    return st.tuples(st.just(weights), st.integers(2, min(20, len(np.unique(weights)))))


VALUES = st.sampled_from([0.0, 0.5, -1.0, 2.0]) | st.floats(-3, 3, width=16)
SHAPES = hnp.array_shapes(max_dims=3, min_side=2, max_side=8)
CASES = (
    hnp.arrays(np.float32, SHAPES, elements=VALUES)
    .filter(lambda weights: len(np.unique(weights)) > 1)
    .flatmap(and_clusters)
)


def error(weights, centroids, indices):
    return float(((np.asarray(weights, np.float64) - centroids[indices]) ** 2).sum())


@given(CASES, st.booleans())
def test_every_weight_takes_one_of_exactly_k_values(case, keep_zero):
    weights, k = case
    centroids, indices = cluster(weights, k, keep_zero)
    assert centroids.dtype == np.float32
    assert indices.dtype == np.uint8
    assert indices.shape == weights.shape
    assert sorted(centroids.tolist()) == centroids.tolist()
    others = centroids[centroids != 0]  # positive and negative weights can have the mean 0
    assert len(set(others.tolist())) == len(others) >= k - 2
    assert set(indices.reshape(-1).tolist()) == set(range(k))


@given(CASES)
def test_each_value_is_the_mean_of_its_weights_and_the_nearest_to_them(case):
    weights, k = case
    centroids, indices = cluster(weights, k, keep_zero=False)
    for i, centroid in enumerate(centroids):
        assert centroid == pytest.approx(weights[indices == i].mean(dtype=np.float64), abs=1e-6)
    chosen = np.abs(weights - centroids[indices])
    nearest = np.abs(weights[..., None] - centroids).min(-1)
    np.testing.assert_allclose(chosen, nearest, atol=1e-5)


@given(CASES)
def test_zeros_stay_zeros_and_others_do_not_become_zero(case):
    weights, k = case
    assume((weights == 0).any())
    centroids, indices = cluster(weights, k)
    new = centroids[indices]
    assert (new[weights == 0] == 0).all()
    assert (indices[weights != 0] != indices[weights == 0][0]).all()


@pytest.mark.parametrize(
    ("layer", "k"), [("conv2", 3), ("conv2", 16), ("dense1", 2), ("dense1", 8)]
)
def test_it_is_scipys_k_means_from_the_same_start(layer, k):
    weights = qlab.pretrained("baseline").layer(layer).weights.reshape(-1).astype(np.float64)
    start = np.linspace(weights.min(), weights.max(), k)
    theirs, labels = kmeans2(weights[:, None], start[:, None], iter=300)
    ours = error(weights, *cluster(weights, k))
    assert ours <= error(weights, theirs[:, 0], labels) * (1 + 1e-4)


def test_it_is_deterministic_and_better_than_an_even_grid():
    weights = qlab.pretrained("baseline").layer("dense1").weights
    first, second = cluster(weights, 16), cluster(weights.copy(), 16)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    grid = np.linspace(weights.min(), weights.max(), 16)
    rounded = np.abs(weights[..., None] - grid).argmin(-1)
    assert error(weights, *first) < 0.5 * error(weights, grid, rounded)


def test_as_many_clusters_as_values_change_nothing():
    weights = np.array([[3.0, -1.0], [0.0, 3.0]], np.float32)
    centroids, indices = cluster(weights, 3)
    np.testing.assert_array_equal(centroids[indices], weights)


def test_an_outlier_gets_a_cluster_of_its_own():
    weights = np.concatenate([np.linspace(-0.1, 0.1, 999), [50.0]])
    centroids, indices = cluster(weights, 4)
    assert centroids[-1] == 50.0
    assert np.bincount(indices).tolist()[-1] == 1
    assert len(set(indices[:-1])) == 3  # the empty ones in between were given back


def test_256_clusters_fit_a_byte():
    centroids, indices = cluster(np.random.default_rng(0).normal(size=5000), 256)
    assert indices.max() == 255
    assert len(centroids) == 256


@pytest.mark.parametrize(
    ("k", "bits"), [(2, 1), (3, 2), (4, 2), (5, 3), (16, 4), (17, 5), (256, 8)]
)
def test_bits_of_an_index(k, bits):
    assert bits_per_weight(k) == bits


@pytest.mark.parametrize("k", [*CLUSTERS, np.int64(16)])
def test_the_ends_are_allowed(k):
    assert type(require_clusters(k)) is int


@pytest.mark.parametrize(
    ("weights", "k", "words"),
    [
        (np.ones(100), 1, "k is 1; choose 2 to 256"),
        (np.arange(1000.0), 257, "k is 257; choose 2 to 256"),
        (np.arange(9.0), 2.0, "k is 2.0; give a whole number"),
        (np.arange(9.0), True, "k is True; give a whole number"),
        (np.arange(9.0), None, "k is None"),
        (np.arange(9.0), 10, "10 clusters for 9 weights; choose at most 9"),
        (np.array([1.0, 2.0] * 50), 16, "16 clusters for 100 weights of 2 different values"),
        (np.zeros(100), 2, "2 clusters for 100 weights of 1 different"),
        (np.zeros(0), 2, "2 clusters for 0 weights"),
        (np.array([1.0, np.nan]), 2, "NaN or infinite weights"),
    ],
)
def test_what_cannot_be_clustered_is_refused_in_words(weights, k, words):
    with pytest.raises(ValueError, match=words):
        cluster(weights, k)
