"""How Tensors and Modules show themselves in a notebook: what matters, shortened, as valid HTML."""
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinynn as tn
import tinynn.viz  # noqa: F401  (in a notebook, tinynn does that itself)
from tinynn import nn


def texts(html) -> list:
    """All texts, in order; raises if the tags do not match."""
    return [text.strip() for text in ElementTree.fromstring(f"<p>{html}</p>").itertext() if text.strip()]


def test_a_tensor():
    x = tn.Tensor(np.array([[1.0, 2.0]], np.float32), requires_grad=True)
    assert texts(x._repr_html_()) == ["Tensor", "(1, 2), float32, requires_grad=True", "[[1. 2.]]"]
    y = (x * x).sum()
    assert texts(y._repr_html_()) == ["Tensor", "(), float32, made by sum", "5."]
    y.backward()
    assert "has a gradient" in x._repr_html_()
    assert texts(tn.Tensor([3])._repr_html_()) == ["Tensor", "(1,), int64", "[3]"]
    assert len(tn.Tensor(np.random.default_rng(0).random((300, 300)))._repr_html_()) < 1000
    assert texts(nn.Parameter([0.5])._repr_html_())[0] == "Parameter"


def test_a_model():
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Sequential(nn.Linear(8, 200, bias=False))).astype(np.float32)
    assert texts(model.eval()._repr_html_()) == [
        "Sequential", "1,632 parameters, float32, evaluation", "layer", "parameters", "numbers",
        "0", "Linear(3, 8)", "weight (8, 3), bias (8,)", "32", "1", "Tanh()", "2.0", "Linear(8, 200, bias=False)",
        "weight (200, 8)", "1,600"]
    assert texts(nn.Linear(1, 1)._repr_html_())[5:] == ["Linear(1, 1)", "weight (1, 1), bias (1,)", "2"]


def test_a_tied_parameter_counts_once():
    one, other = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    other.weight = one.weight
    cells = texts(nn.Sequential(one, other)._repr_html_())
    assert cells[1].startswith("4 parameters") and cells[-1] == "0" and cells.count("4") == 1
    square = nn.Linear(3, 3, bias=False)
    square.again = square.weight                                            # twice within one layer
    assert texts(square._repr_html_())[-1] == "9"


@pytest.mark.parametrize("before, there", [("sys.modules['IPython'] = sys", "True"), ("", "False")])
def test_tables_are_there_in_a_notebook_and_cost_nothing_elsewhere(before, there):
    code = f"import sys; {before or 'pass'}; import tinynn; print(hasattr(tinynn.Tensor, '_repr_html_'))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == there
