"""Module: what it finds among its attributes, its state, its dtype."""
import pickle
from copy import deepcopy

import numpy as np
import pytest

import tinynn as tn
from tinynn import nn


def mlp():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))


class Custom(nn.Module):
    """Parameters, Modules, and lists of them, as attributes."""

    def __init__(self):
        self.first = nn.Linear(2, 3)
        self.scale = nn.Parameter([1.0, 2.0, 3.0])
        self.blocks = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.shifts = (nn.Parameter(np.zeros(3)), "not a parameter")

    def forward(self, x):
        x = self.first(x) * self.scale
        for block in self.blocks:
            x = tn.tanh(block(x)) + self.shifts[0]
        return x


class Tied(nn.Module):
    def __init__(self):
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight
        self.again = self.a

    def forward(self, x):
        return self.again(self.b(self.a(x)))


def test_parameter():
    with tn.default_dtype(np.float32):
        assert nn.Parameter([1.0, 2.0]).dtype == np.float32
        assert nn.Parameter(np.ones(2)).dtype == np.float64                 # an array keeps its dtype
    array = np.ones(2)
    p = nn.Parameter(array)
    assert p.requires_grad and p.grad is None and isinstance(p, tn.Tensor) and not hasattr(p, "__dict__")
    array[0] = 7
    assert p.data[0] == 1                                                   # it owns its values
    assert type(p * 2) is tn.Tensor
    with pytest.raises(TypeError, match="float"):
        nn.Parameter([1, 2])


def test_finds_parameters_in_attributes_and_lists():
    model = Custom()
    assert [name for name, _ in model.named_parameters()] == [
        "scale", "shifts.0", "first.weight", "first.bias",
        "blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "blocks.1.bias"]
    assert len(model.children()) == 3 and model.modules()[0] is model and len(model.modules()) == 4
    model(np.ones((5, 2))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_finds_layers_in_nested_lists_and_refuses_them_in_dicts():
    class Nested(nn.Module):
        def __init__(self, held):
            self.held = held
    model = Nested([[nn.Linear(2, 2), nn.Tanh()], ("name", nn.Linear(2, 1))])
    assert [name for name, _ in model.named_parameters()] == [
        "held.0.0.weight", "held.0.0.bias", "held.1.1.weight", "held.1.1.bias"]
    model.eval()
    assert len(model.modules()) == 4 and not any(module.training for module in model.modules())
    for held in ({"a": nn.Tanh()}, {"a": {"b": nn.Tanh()}}, {"a": [nn.Linear(2, 2)]}, [{"a": (nn.Linear(2, 2),)}]):
        with pytest.raises(TypeError, match="Nested.held.* is a dict of layers"):
            Nested(held).parameters()


def test_a_leaf_that_is_no_parameter_is_refused():
    class Wrong(nn.Module):
        def __init__(self):
            self.parts = [tn.Tensor(np.ones(2), requires_grad=True)]
    with pytest.raises(TypeError, match="Wrong.parts.0 is a Tensor that requires gradients.*nn.Parameter"):
        Wrong().parameters()
    model = Wrong()
    model._parts = vars(model).pop("parts")                     # what it has seen, say
    assert model.parameters() == [] and model.eval() is model


def test_tied_parameters_are_listed_once_and_saved_under_each_name():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["a.weight", "a.bias", "b.bias"]
    assert len(model.modules()) == 3
    state = model.state_dict()
    assert list(state) == ["a.weight", "a.bias", "b.weight", "b.bias", "again.weight", "again.bias"]
    model.load_state_dict(state)
    model.astype(np.float32)
    assert model.b.weight is model.a.weight and model.a.weight.dtype == np.float32


def test_state_dict_holds_copies():
    model = mlp()
    state = model.state_dict()
    state["0.weight"][:] = 7
    state["1.running_mean"][:] = 7
    assert not (model[0].weight.data == 7).any() and not (model[1].running_mean == 7).any()


def test_load_state_dict_copies_into_the_same_arrays():
    model, other = mlp(), mlp()
    views = [p.data for p in model.parameters()]                            # as an optimizer holds them
    x = np.ones((4, 3)) * np.arange(4)[:, None]
    other(x)                                                                # moves the running statistics
    state = {name: tn.Tensor(value) for name, value in other.state_dict().items()}
    model.load_state_dict(state)
    assert all(p.data is view for p, view in zip(model.parameters(), views))
    assert np.array_equal(model.eval()(x).data, other.eval()(x).data)
    state["1.running_mean"].data[:] = 7
    assert not (model[1].running_mean == 7).any()
    assert model[1].num_batches_tracked.dtype == np.int64 and model[1].num_batches_tracked == 1


def test_load_state_dict_casts_to_the_dtype_of_the_model():
    model = mlp().astype(np.float32)
    model.load_state_dict(mlp().state_dict())
    assert all(p.dtype == np.float32 for p in model.parameters()) and model[1].running_var.dtype == np.float32


def test_load_state_dict_names_everything_wrong_and_changes_nothing():
    model = mlp()
    before = model.state_dict()
    state = {name: value + 1 for name, value in before.items()}
    state["0.weight"] = np.ones((2, 2))
    state["5.weight"] = np.ones(2)
    state["1.num_batches_tracked"] = np.array(1.5)
    del state["3.bias"]
    with pytest.raises(ValueError) as error:
        model.load_state_dict(state)
    for part in ("3.bias is missing", "5.weight is unexpected", "0.weight has shape (2, 2), expected (4, 3)",
                 "1.num_batches_tracked has dtype float64, expected int64"):
        assert part in str(error.value)
    assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())


def test_train_and_eval_reach_every_module():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert all(module.training for module in model.modules())
    assert nn.Dropout().training                                            # others are not touched


def test_astype():
    model = mlp()
    model(np.random.default_rng(0).normal(size=(5, 3))).sum().backward()
    assert model.astype(np.float32) is model
    assert all(p.dtype == np.float32 and p.grad is None for p in model.parameters())
    assert model[1].running_mean.dtype == np.float32 and model[1].num_batches_tracked.dtype == np.int64
    y = model(np.ones((2, 3)))
    assert y.dtype == np.float32
    y.sum().backward()
    assert all(p.grad.dtype == np.float32 for p in model.parameters())
    with pytest.raises(TypeError, match="float32 or float64"):
        model.astype(int)


def test_a_frozen_parameter_stays_frozen():
    model = mlp()
    model[0].weight.requires_grad = False
    model.astype(np.float32)
    model.zero_grad()
    model.load_state_dict(mlp().state_dict())
    model(np.random.default_rng(0).normal(size=(5, 3))).sum().backward()
    assert not model[0].weight.requires_grad and model[0].bias.grad is not None


@pytest.mark.parametrize("copied", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_independent(copied):
    model = mlp()
    other = copied(model)
    other[0].weight.data = np.zeros((4, 3))
    assert model[0].weight.data.any()
    other(np.ones((2, 3))).sum().backward()
    assert model[0].weight.grad is None and other[0].weight.grad is not None


def test_input_dtypes():
    layer = nn.Linear(3, 2).astype(np.float32)
    assert layer(np.ones((4, 3))).dtype == layer(tn.Tensor(np.ones((4, 3)))).dtype == np.float32
    assert layer([[1.0, 2.0, 3.0]]).dtype == np.float32
    with pytest.raises(TypeError, match=r"dtype int64.*astype\(np.float32\)"):
        layer(np.ones((4, 3), int))
    with pytest.raises(TypeError, match="the input is a tuple.*pass on the first"):
        nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 1))(np.ones((2, 5, 3)))
    assert nn.Linear(2, 1)(((1.0, 2.0),)).shape == (1, 1)
    with pytest.raises(TypeError, match="dtype uint8"):
        nn.Flatten()(np.ones((4, 3), np.uint8))
    with pytest.raises(TypeError, match="dtype bool"):
        nn.ReLU()(np.ones((4, 3), bool))
    with pytest.raises(TypeError, match="float64 Tensor that requires gradients"):
        layer(tn.Tensor(np.ones((4, 3)), requires_grad=True))


def test_forward_missing():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(np.ones(3))


def test_repr():
    assert repr(mlp()) == "Sequential(Linear(3, 4), BatchNorm1d(4), Tanh(), Linear(4, 2))"
