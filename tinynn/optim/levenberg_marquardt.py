"""Levenberg–Marquardt: for sums of squares, the Hessian almost for free.

With residuals e(w) and their Jacobian J, the loss Σe² has the gradient 2Jᵀe and the Hessian 2JᵀJ + 2Σ e·∇²e. Near a good
fit e is small, so JᵀJ alone will do: that is the *Gauss–Newton* matrix, built from first derivatives; not the true Hessian.
The step solves
    (JᵀJ + μI) δ = −Jᵀe.
Small μ: Newton-like, with quadratic convergence where the residuals vanish. Large μ: a short step downhill. μ shrinks after a
success, grows after a failure.
"""
import numpy as np

from ..arguments import check_positive
from ..autograd.backward import ancestors
from ..autograd.jacobian import check_residual, jacobian_blocks, rows_independent
from ..autograd.tensor import Leaf, as_array
from ..kernels.threads import one_blas_thread
from .optimizer import Optimizer


class LevenbergMarquardt(Optimizer):
    """Hagan & Menhaj 1994, with the defaults of MATLAB's `trainlm`.

    closure() returns the *residuals*, model(x) − y, examples along the first axis; their mean square is minimised. The
    same closure object stands for the same data: for others, pass another one.
    mu: the first μ, default 1e-3; ×0.1 (but not below 1e-20) after a step that lowers Σe², ×10 after one that does not, and
    then again, until mu > mu_max, default 1e10. min_grad: stop when the gradient of the mean square is shorter, default 1e-7.
    Needs memory for P² numbers and time for N·P² + P³ operations a step: good up to a few thousand parameters.
    JᵀJ is summed over blocks of examples, so the (N, P) Jacobian is never in memory.
    """
    alpha, beta = 0.0, 1.0                      # minimise β·Σe² + α·Σw²: see bayesian_regularization.py

    def __init__(self, params, mu=1e-3, min_grad=1e-7, mu_max=1e10):
        super().__init__(params)
        for name, value in (("mu", mu), ("min_grad", min_grad), ("mu_max", mu_max)):
            check_positive(name, value)
        self.mu, self.min_grad, self.mu_max = mu, min_grad, mu_max
        self._known = None                      # (closure, moment, residuals): the last evaluation, if w has not changed
        self._trusted = None                    # the last graph for which the fast Jacobian was compared with backward

    def step(self, closure) -> float:
        """One successful step, after as many trials of μ as it takes; returns the mean square before it."""
        self.flat.check_current()
        with one_blas_thread(self.flat.w.size < 500), self.flat.or_back() as w:     # there a second thread costs more than
            return self.improve(closure, w)                                         # it computes

    def improve(self, closure, w) -> float:
        """The step itself, from w."""
        residual = self.evaluate(closure)
        e, a, b = residual._data.ravel(), self.alpha, self.beta
        if e.size == 0:
            raise ValueError(f"closure() returned residuals of shape {residual.shape}: there is no example to learn from")
        if not residual.requires_grad:
            raise ValueError("the residuals do not depend on any Tensor with requires_grad=True: were they computed under "
                             "no_grad, or from .data or .numpy()?")
        JtJ, Jte = self.normal_equations(residual)
        self.flat.g[...] = (2 / e.size) * Jte
        for p, view in zip(self.flat.params, self.flat.g_views):
            p._node.grad = view
        norm = float(np.linalg.norm(Jte + a / b * w)) * 2 / e.size
        squares = float(e @ e)
        objective = b * squares + a * float(w @ w)
        self.info, self.stop = {"mu": self.mu, "gradient_norm": norm}, None
        if not np.isfinite(objective) or not np.isfinite(norm):
            self.stop = "the residuals or their Jacobian are not finite"
        elif norm < self.min_grad:
            self.stop = f"gradient below {self.min_grad:g}"
        while not self.stop:
            step = solve(b * JtJ, a + self.mu, b * Jte + a * w)             # (βJᵀJ + (α + μ)I)⁻¹ (βJᵀe + αw)
            if step is not None:
                self.flat.set(w - step)
                e = as_array(self.evaluate(closure)).ravel()
                new = float(e @ e)
                if b * new + a * float(self.flat.w @ self.flat.w) < objective:
                    self.mu = max(self.mu * 0.1, 1e-20)
                    self.accepted(JtJ, e)
                    break
            self.mu *= 10
            if self.mu > self.mu_max:
                self.mu = self.mu_max
                self.flat.set(w)
                self.stop = f"mu above {self.mu_max:g}: no step lowers the loss"
        return squares / residual.size

    def accepted(self, JtJ, e):
        """What to do after a successful step, given JᵀJ before it and the residuals after it. Nothing here."""

    def evaluate(self, closure):
        """The residuals at the present w, a Tensor; taken from the last evaluation if it was here."""
        if self._known is not None and self._known[0] is closure and self.flat.unchanged(self._known[1]):
            return self._known[2]
        first = self._known is None or self._known[0] is not closure
        residual = check_residual(closure(), type(self).__name__)
        if first and not np.array_equal(as_array(closure()), residual._data, equal_nan=True):
            raise ValueError("closure() returned two different arrays for the same parameters; trial steps compare them, "
                             "so call model.eval() or take dropout out, and use one batch")
        nodes = ancestors(residual._node) if residual.requires_grad else []
        leaves = {parent for node in nodes for parent in node.parents if type(parent) is Leaf}
        self._known = closure, self.flat.moment(leaves), residual
        return residual

    def normal_equations(self, residual) -> tuple:
        """JᵀJ, (P, P), and Jᵀe, (P,), summed over blocks of examples."""
        params, e = self.flat.params, residual._data.ravel()
        nodes = ancestors(residual._node) if residual.requires_grad else []
        graph = residual.shape, [node.op.name for node in nodes]
        trusted = self._trusted == graph or residual.requires_grad and rows_independent(residual, params)
        self._trusted = graph if trusted else None
        JtJ = Jte = 0
        for rows, J in jacobian_blocks(residual, params, trusted):
            JtJ += J.T @ J                                                  # (P, n) @ (n, P) -> (P, P)
            Jte += J.T @ e[rows]
        return JtJ, Jte


def solve(A, damping, b):
    """(A + damping·I)⁻¹ b by Cholesky, for a symmetric A; None where A + damping·I is not positive definite.

    A is overwritten.
    """
    from scipy.linalg.lapack import get_lapack_funcs
    A.flat[::len(A) + 1] += damping
    posv, = get_lapack_funcs(("posv",), (A, b))
    _, x, info = posv(A.T, b, lower=True, overwrite_a=True)     # A.T is A, in the order that LAPACK takes without a copy
    return x if info == 0 and np.isfinite(x).all() else None
