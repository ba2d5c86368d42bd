"""Augmentation against np.rot90, shifted slices and scipy.ndimage; randomness; dtypes; bad input."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from tinynn.data import augment

shapes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


@st.composite
def images(draw, square=False):
    N, C, H, W = draw(shapes)
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return draw(arrays(dtype, (N, C, H, H if square else W), elements=st.floats(0, 1, width=16)))


def blobs(n=4, size=28, seed=0):
    """Smooth images with nothing near the border: (n, 2, size, size) float32."""
    x = np.random.default_rng(seed).random((n, 2, size, size))
    x[:, :, :7] = x[:, :, -7:] = x[..., :7] = x[..., -7:] = 0
    return ndimage.gaussian_filter(x, (0, 0, 1, 1)).astype(np.float32)


@given(images())
def test_nothing_to_do_changes_nothing(x):
    for y in (augment.shift(x, 0, 0), augment.rotate(x, 0), augment.scale(x, 1), augment.affine(x, 0, 0, 0, 0),
              augment.elastic(x, 0, alpha=0)):
        assert y.dtype == x.dtype and y is not x
        np.testing.assert_array_equal(y, x)


@given(images(), st.integers(-10, 10), st.integers(-10, 10))
def test_a_whole_shift_moves_pixels(x, down, right):
    H, W = x.shape[2:]
    expected = np.zeros_like(x)
    for i in range(H):
        for j in range(W):
            if 0 <= i - down < H and 0 <= j - right < W:
                expected[:, :, i, j] = x[:, :, i - down, j - right]
    np.testing.assert_allclose(augment.shift(x, down, right), expected, atol=1e-6)


@given(images(square=True), st.integers(-4, 4))
def test_a_quarter_turn_is_rot90(x, k):
    np.testing.assert_allclose(augment.rotate(x, 90.0 * k), np.rot90(x, k, axes=(2, 3)), atol=1e-5)


@given(images(), st.floats(-3, 3), st.floats(-3, 3), st.floats(-180, 180), st.floats(0.5, 2))
def test_any_map_is_scipys(x, down, right, degrees, factor):
    matrix, move = factor * augment.turn(degrees), np.array([down, right])
    middle = (np.array(x.shape[2:]) - 1) / 2
    inverse = np.linalg.inv(matrix)
    y = augment.transform(x, matrix, move)
    for plane, moved in zip(x.reshape(-1, *x.shape[2:]), y.reshape(-1, *x.shape[2:])):
        framed = np.pad(plane.astype(float), 4)                                 # SciPy's border falls to 0 more abruptly
        expected = ndimage.affine_transform(framed, inverse, 4 + middle - inverse @ (4 + middle + move), order=1)[4:-4, 4:-4]
        np.testing.assert_allclose(moved, expected, atol=2e-5)


def test_each_image_may_have_its_own_amount():
    x = blobs(3)
    y = augment.rotate(augment.shift(x, [0, 1, 2], [0.5, -1, 0]), [0, 10, 180])
    for i, (down, right, degrees) in enumerate(zip([0, 1, 2], [0.5, -1, 0], [0, 10, 180])):
        one = augment.rotate(augment.shift(x[[i]], down, right), degrees)
        np.testing.assert_allclose(y[i], one[0], atol=1e-6)


def test_scale_enlarges():
    x = blobs()
    spread = [((y.sum(axis=(1, 2)) * (np.arange(28) - 13.5) ** 2).sum() / y.sum()) for y in (x, augment.scale(x, 1.5))]
    np.testing.assert_allclose(spread[1] / spread[0], 1.5**2, rtol=0.02)
    np.testing.assert_allclose(augment.scale(x, 1.5).sum() / x.sum(), 1.5**2, rtol=0.02)


@given(st.integers(0, 2**32 - 1))
def test_affine_keeps_ranges_and_mass(seed):
    """Of a white square, the centre of mass shows the shift, the mass the scale."""
    x = np.zeros((50, 1, 28, 28), np.float32)
    x[:, :, 10:18, 10:18] = 1
    y = augment.affine(x, seed, shift=3, degrees=20, scale=0.2)
    mass = y.sum(axis=(1, 2, 3))
    assert np.all((0.79**2 * 64 < mass) & (mass < 1.21**2 * 64)) and mass.std() > 3
    for axis in (2, 3):
        centre = (y.sum(axis=(1, 5 - axis)) * np.arange(28)).sum(axis=1) / mass - 13.5
        assert np.abs(centre).max() < 3.05 and np.abs(centre).max() > 2
    still = augment.affine(x, seed, shift=0, degrees=20, scale=0)
    np.testing.assert_allclose(still.sum(axis=(1, 2, 3)), 64, rtol=0.01)
    assert np.abs(still - x).max() > 0.1


@pytest.mark.parametrize("seed", [0, 1])
def test_elastic_moves_by_what_simard_says_and_keeps_mass(seed):
    """Of a ramp, whose value is the row, the change is the displacement."""
    H = 64
    ramp = np.broadcast_to(np.arange(H, dtype=np.float32)[:, None], (200, 1, H, H)).copy()
    moved = (augment.elastic(ramp, seed, alpha=34, sigma=4) - ramp)[:, 0, 16:-16, 16:-16]
    np.testing.assert_allclose(moved.std(), 34 / (2 * 4 * np.sqrt(3 * np.pi)), rtol=0.1)
    smooth = (moved[:, 1:] * moved[:, :-1]).mean() / (moved**2).mean()
    np.testing.assert_allclose(smooth, np.exp(-1 / (4 * 4**2)), atol=0.01)      # the autocovariance of a smoothed noise
    x = blobs()
    np.testing.assert_allclose(augment.elastic(x, seed, 20).sum(axis=(2, 3)), x.sum(axis=(2, 3)), rtol=0.3)


@given(st.integers(1, 20), st.floats(0.5, 8))
def test_the_gaussian_is_scipys(n, sigma):
    x = np.random.default_rng(0).random(n)
    np.testing.assert_allclose(augment.gaussian(n, sigma) @ x, ndimage.gaussian_filter(x, sigma, mode="constant", truncate=8),
                               rtol=1e-4)


@pytest.mark.parametrize("f", [augment.affine, augment.elastic])
def test_randomness(f):
    """The rng decides, and each image, but not each channel, has its own luck."""
    x = np.repeat(blobs(1), 5, axis=0)
    x[:, 1] = x[:, 0]
    y = f(x, 1)
    np.testing.assert_array_equal(y, f(x, np.random.default_rng(1)))
    assert not np.array_equal(y, f(x, 2))
    assert all(np.abs(y[i] - y[j]).max() > 0.01 for i in range(5) for j in range(i))
    np.testing.assert_array_equal(y[:, 0], y[:, 1])
    assert y.dtype == np.float32


@pytest.mark.parametrize("f", [lambda x: augment.shift(x, 0, 0), lambda x: augment.rotate(x, 1), lambda x: augment.scale(x, 1),
                               augment.affine, augment.elastic])
@pytest.mark.parametrize("x", [np.zeros((28, 28)), np.zeros((2, 1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.float16),
                               [[1.0]], np.zeros((2, 8, 8))])
def test_other_images_are_refused(f, x):
    with pytest.raises(TypeError, match="images is .*expected an array of shape"):
        f(x)


@pytest.mark.parametrize("call", [
    lambda x: augment.affine(x, 0, shift=-1), lambda x: augment.affine(x, 0, degrees=-1),
    lambda x: augment.affine(x, 0, scale=1), lambda x: augment.affine(x, 0, shift=np.nan),
    lambda x: augment.elastic(x, 0, alpha=-1), lambda x: augment.elastic(x, 0, sigma=0), lambda x: augment.scale(x, 0),
    lambda x: augment.scale(x, [1, -1]), lambda x: augment.shift(x, np.nan, 0), lambda x: augment.rotate(x, np.inf),
    lambda x: augment.shift(x, [1, 2, 3], 0)])
def test_impossible_amounts_are_refused(call):
    with pytest.raises(ValueError):
        call(np.zeros((2, 1, 8, 8), np.float32))


def test_images_are_not_changed():
    x = blobs()
    before = x.copy()
    for f in (augment.affine, augment.elastic):
        f(x, 0)
    np.testing.assert_array_equal(x, before)


def test_no_images():
    assert augment.affine(np.zeros((0, 1, 8, 8), np.float32), 0).shape == (0, 1, 8, 8)
