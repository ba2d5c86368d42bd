"""Weights on disk, as safetensors: arrays and text only, so that opening a stranger's file runs nobody's code (pickle would).

A file is written beside its place and then renamed, so it is whole or absent, never half.
"""
import os
from pathlib import Path

import numpy as np


def save(path, model):
    """Write the parameters and buffers of `model` (its state dict) to a safetensors file, with PyTorch's names."""
    write_arrays(path, model.state_dict())


def load(path, model):
    """Copy the values in a safetensors file into `model`; returns the model.

    Raises FileNotFoundError; ValueError that names the file, if it is damaged or its names or shapes are not the model's.
    """
    arrays, _ = read_arrays(path)
    try:
        model.load_state_dict(arrays)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return model


def write_arrays(path, arrays: dict, notes=None):
    """Write named arrays, and anything that JSON can say as `notes`, to one safetensors file."""
    import json

    from safetensors.numpy import save
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    contiguous = {name: np.array(array, order="C") for name, array in arrays.items()}
    try:
        beside.write_bytes(save(contiguous, {"notes": json.dumps(notes, default=lambda a: a.tolist())}))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read_arrays(path) -> tuple:
    """(arrays by name, notes) from a safetensors file."""
    import json

    from safetensors import SafetensorError, safe_open
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            return arrays, json.loads((file.metadata() or {}).get("notes", "null"))
    except (SafetensorError, ValueError, OSError) as error:
        raise ValueError(f"{path}: damaged, or not a safetensors file ({error}); delete it or save it again") from None
    except TypeError as error:                              # bfloat16 and smaller
        raise ValueError(f"{path}: has numbers of a kind that NumPy lacks ({error}); save it as float32") from None
