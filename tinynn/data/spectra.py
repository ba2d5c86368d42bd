"""Spectra of mixtures: 21 columns that are strongly correlated, since three numbers make them all. For principal components.

The stand-in for the cholesterol data of the course's exercises (264 blood samples, absorption at 21 wavelengths), which come
with a commercial product and are not public. By the law of Beer and Lambert the absorption of a mixture is the sum of those
of its substances, each times its concentration,
    x = c S + noise,    c (264, 3): three concentrations in each sample,    S (3, 21): three spectra, smooth and overlapping.
"""
import numpy as np

from .dataset import Dataset

SAMPLES, WAVELENGTHS = 264, 21


def spectra() -> Dataset:
    """x_train (264, 21) float64, absorptions > 0; the same every time. real is False.

    Three principal components explain more than 99.9 % of the variance, two do not; standardised or not.
    """
    rng = np.random.default_rng(1)
    wavelength = np.linspace(0, 1, WAVELENGTHS)
    peaks, widths = np.array([0.15, 0.5, 0.8])[:, None], np.array([0.2, 0.25, 0.18])[:, None]
    S = np.exp(-0.5 * ((wavelength - peaks) / widths) ** 2)                     # (3, 21)
    c = np.exp(0.4 * rng.standard_normal((SAMPLES, 3)))                         # about 1, from a third to three times that
    x = 0.2 + c @ S + 0.005 * rng.standard_normal((SAMPLES, WAVELENGTHS))       # (264, 3) @ (3, 21) -> (264, 21)
    return Dataset(x, None, None, None, name="spectra of mixtures", real=False)
