"""Bayesian regularization: Levenberg–Marquardt with a weight decay that it finds by itself.

Minimise F = β·E_D + α·E_W, with E_D = Σe², E_W = Σw². As Bayesians we read e^(−βE_D) as the likelihood of noise with variance
1/(2β), e^(−αE_W) as a prior on the weights with variance 1/(2α), and choose α and β so that the data are most probable
(the maximum of the evidence, MacKay 1992). With N residuals, P parameters, and a normal distribution about the minimum, of
inverse covariance 2A, A = βJᵀJ + αI,
    ln p(data | α, β) = −F − ½ ln det A + ½P ln α + ½N ln β + const,
and its derivatives by α and β are 0 where
    γ = P − α·tr(A⁻¹),   α = γ/(2E_W),   β = (N − γ)/(2E_D).
γ, between 0 and P, counts the parameters that the data determine; the others are held near 0 by the prior.
So no validation set is needed, and a network that is too large does little harm.
"""
import numpy as np

from .levenberg_marquardt import LevenbergMarquardt


class BayesianRegularization(LevenbergMarquardt):
    """Foresee & Hagan 1997, with the defaults of MATLAB's `trainbr`; α, β and γ are estimated after every step.

    closure() returns the residuals, as for LevenbergMarquardt. mu: default 5e-3. min_grad: default 1e-7. mu_max: 1e10.
    It needs more examples than parameters, or a good start: with fewer, the first estimate of α can be so large that all
    weights go to 0, and γ with them, never to return; nn.init.nguyen_widrow and fewer units help.
    Attributes: gamma (effective number of parameters), alpha, beta. Start: γ = P, and α, β from the first residuals.
    """

    def __init__(self, params, mu=5e-3, min_grad=1e-7, mu_max=1e10):
        super().__init__(params, mu, min_grad, mu_max)
        self.gamma = float(self.flat.w.size)
        self.alpha = self.beta = 0.0                             # not estimated yet

    def step(self, closure) -> float:
        """One successful step and a new estimate of α and β; returns the mean square before it."""
        if not self.beta > 0:                                    # none yet, or NaN
            self.estimate(self.evaluate(closure)._data.ravel())
        loss = super().step(closure)
        self.info.update(gamma=self.gamma, alpha=self.alpha, beta=self.beta)
        return loss

    def accepted(self, JtJ, e):
        self.gamma = determined(JtJ, self.alpha / self.beta)
        self.estimate(e)

    def estimate(self, e):
        """α and β from γ, E_W and E_D; each 1 where its sum is 0, and N − γ at least 1 if there are few examples."""
        w = self.flat.w
        E_W, E_D = float(w @ w), float(e @ e)
        self.alpha = self.gamma / (2 * E_W) if E_W else 1.0
        self.beta = max(e.size - self.gamma, 1.0) / (2 * E_D) if E_D else 1.0


def determined(JtJ, ratio) -> float:
    """γ = P − tr((JᵀJ/ratio + I)⁻¹) = Σ λ/(λ + ratio), λ the eigenvalues of JᵀJ, ratio = α/β.

    By Cholesky, A = LLᵀ and tr(A⁻¹) = |L⁻¹|² (sum of squares), which takes a third of the time; by eigenvalues where ratio is
    below the rounding errors of JᵀJ, ε·λ_max, and then a direction counts as determined if its λ is above them.
    """
    from scipy.linalg.lapack import get_lapack_funcs
    rounding = np.finfo(JtJ.dtype).eps * np.trace(JtJ)                      # tr(JᵀJ) = Σλ, no less than λ_max
    if ratio > 10 * rounding:
        A = JtJ.copy()
        A.flat[::len(A) + 1] += ratio
        potrf, trtri = get_lapack_funcs(("potrf", "trtri"), (A,))
        L, info = potrf(A.T, lower=True, clean=True, overwrite_a=True)
        if info == 0:
            inverse, _ = trtri(L, lower=True, overwrite_c=True)
            gamma = len(A) - ratio * float(np.vdot(inverse, inverse))
            return gamma if gamma > 1 else float(np.vdot(inverse @ JtJ, inverse))       # tr(A⁻¹JᵀJ), without a difference
    eigenvalues = np.maximum(np.linalg.eigvalsh(JtJ), 0)
    return float(np.sum(eigenvalues / (eigenvalues + max(ratio, rounding))))
