"""Record scikit-learn's BayesianRidge with flat priors, for tests/optim/test_least_squares.py:

    python tests/recorded/record_sklearn.py
"""
from pathlib import Path

import numpy as np
from sklearn.linear_model import BayesianRidge

if __name__ == "__main__":
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 5)) * [1, 2, 0.5, 1, 3]
    y = X @ [1.0, -0.5, 0.0, 2.0, 0.1] + 0.3 * rng.standard_normal(60)
    model = BayesianRidge(max_iter=5000, tol=1e-14, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, fit_intercept=False)
    model.fit(X, y)
    np.savez(Path(__file__).with_name("sklearn_bayes.npz"), coef=model.coef_, alpha=model.alpha_, lambda_=model.lambda_)
