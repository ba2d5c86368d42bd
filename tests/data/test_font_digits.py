"""Font digits: glyphs of every font, readable images, balanced labels, the same every time."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynn.data import font_digits, glyphs
from tinynn.data.font_digits import draw


@pytest.fixture(scope="module")
def digits():
    return font_digits(1000, 500)


def test_shapes_types_and_labels(digits):
    assert not digits.real and digits.name == "font digits"
    for x, y, n in ((digits.x_train, digits.y_train, 1000), (digits.x_test, digits.y_test, 500)):
        assert x.shape == (n, 1, 28, 28) and x.dtype == np.float32 and x.flags.c_contiguous
        assert x.min() == 0 and x.max() == 1
        assert y.dtype == np.int64 and list(np.bincount(y)) == [n // 10] * 10
    assert len(np.unique(digits.y_train[:50])) == 10                            # in no order


def test_always_the_same_unless_another_seed_is_asked_for(digits):
    again, other = font_digits(1000, 500), font_digits(1000, 500, rng=2)
    np.testing.assert_array_equal(digits.x_train, again.x_train)
    np.testing.assert_array_equal(digits.y_test, again.y_test)
    assert not np.array_equal(digits.x_train, other.x_train)


def test_no_two_are_alike_and_none_is_cut_off(digits):
    x = np.concatenate([digits.x_train, digits.x_test]).reshape(1500, 28, 28)
    assert len(np.unique(x.reshape(1500, -1), axis=0)) == 1500
    ink = x.sum(axis=(1, 2))
    assert 20 < ink.min() and ink.max() < 392                                   # of 784
    border = x[:, [0, -1]].sum(axis=(1, 2)) + x[:, :, [0, -1]].sum(axis=(1, 2))
    assert (border > 1).mean() < 0.02


def test_they_can_be_told_apart_but_not_at_once(digits):
    """The nearest of 1000 is mostly the same digit; the nearest of ten means is not, as it is with digits drawn alike."""
    train, test = digits.x_train.reshape(1000, -1), digits.x_test.reshape(500, -1)
    means = np.array([train[digits.y_train == d].mean(axis=0) for d in range(10)])

    def nearest(to, labels):
        distance = (to**2).sum(axis=1) - 2 * test @ to.T                        # (500, n), but for a constant in each row
        return (labels[distance.argmin(axis=1)] == digits.y_test).mean()

    assert nearest(train, digits.y_train) > 0.9
    assert 0.6 < nearest(means, np.arange(10)) < 0.9


@given(st.integers(0, 9), st.sampled_from([8, 16, 28, 40]), st.floats(0.5, 0.8))
def test_digits_of_any_size(digit, size, height):
    x = draw(np.full(40, digit), np.random.default_rng(0), size, height)
    assert x.shape == (40, 1, size, size) and x.dtype == np.float32
    rows = (x.mean(axis=0)[0] > 0.02).any(axis=1).sum()                         # where some of them have ink
    assert height * size <= rows <= size


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (-1, 5)])
def test_sizes_are_positive(sizes):
    with pytest.raises(ValueError, match="font_digits: n_t.* is"):
        font_digits(*sizes)


def test_every_font_has_ten_different_digits():
    distances = glyphs.distances()
    assert distances.shape == (len(glyphs.FONTS), 10, glyphs.GRID, glyphs.GRID) and distances.dtype == np.float32
    ink = distances > glyphs.FAR
    for font in ink:
        for a in range(10):
            assert 0.03 < font[a].mean() < 0.4
            assert all((font[a] != font[b]).mean() > 0.01 for b in range(a))
    step = 2 * glyphs.EDGE / glyphs.GRID
    heights = ink.any(axis=3).sum(axis=2) * step                                # (fonts, 10)
    np.testing.assert_allclose(heights, 2, atol=2.5 * step)
    border = np.concatenate([ink[..., [0, -1], :].ravel(), ink[..., [0, -1]].ravel()])
    assert not border.any()


def test_distances_are_distances():
    """Of a digit's own outline: the nearest point of many on it is as far away as the glyph says."""
    vertices, codes, ratio = glyphs.outline(3, "DejaVuSans")
    from matplotlib.path import Path
    curve = np.concatenate([part for part in Path(vertices * (ratio, 1), codes).to_polygons()])
    curve = np.concatenate([curve[:-1] + t * (curve[1:] - curve[:-1]) for t in np.linspace(0, 1, 50)])
    at = glyphs.EDGE * ((2 * np.arange(glyphs.GRID) + 1) / glyphs.GRID - 1)
    glyph = glyphs.distances()[glyphs.FONTS.index("DejaVuSans"), 3]
    for i, j in np.random.default_rng(0).integers(glyphs.GRID, size=(200, 2)):
        x, y = at[j], at[-1 - i]
        distance = np.hypot(*(curve - (x, y)).T).min()
        assert abs(abs(glyph[i, j] - glyphs.FAR) - min(distance, glyphs.FAR)) < 0.03
