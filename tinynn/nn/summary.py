"""summary: a table of a model's layers, to see at a glance what shapes flow and where the parameters are."""
from copy import deepcopy

import numpy as np

from ..autograd.settings import default_dtype, no_grad, settings, switched
from .module import Module, Parameter


def summary(model: Module, shape: tuple | int) -> str:
    """A table with a row for each layer: its output's shape for a batch of N, and its number of parameters.

    shape: of one example, without the batch axis: (1, 28, 28) for an image, or an int. Print the result.
    A copy of the model is run, in evaluation mode and on one example of zeros: the model and the random numbers stay as
    they are. A layer that runs twice has two rows, and its parameters count in the first.
    """
    shape = (shape,) if isinstance(shape, int) else shape
    model, rows, counted = deepcopy(model).eval(), [], set()

    def watched(layer, forward):
        def run(*inputs, **options):
            y = forward(*inputs, **options)
            own = {id(p): p.size for _, p in layer._members() if isinstance(p, Parameter) and id(p) not in counted}
            counted.update(own)
            rows.append((repr(layer), shape_of(y), f"{sum(own.values()):,}"))
            return y
        return run

    for module in model.modules():
        if not module.children() or any(isinstance(value, Parameter) for _, value in module._members()):
            module.forward = watched(module, module.forward)        # on this object; its class stays as it is
    parameters = model.parameters()
    dtype = parameters[0].dtype if parameters else default_dtype()
    with no_grad(), switched(settings, "generator", deepcopy(settings.rng)):
        model(np.zeros((1, *shape), dtype))
    rows = [("layer", "output", "parameters"), *rows, ("total", "", f"{sum(p.size for p in parameters):,}")]
    width = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(f"{a:<{width[0]}}  {b:<{width[1]}}  {c:>{width[2]}}" for a, b, c in rows)


def shape_of(y) -> str:
    """(N, 10) for an output of shape (1, 10); for several outputs, their shapes."""
    if isinstance(y, (list, tuple)):
        return ", ".join(shape_of(part) for part in y if part is not None)          # of attention: no weights, perhaps
    return f"({', '.join(['N', *map(str, y.shape[1:])])})"
