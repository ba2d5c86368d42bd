"""Which exercises there are: every module exercises/SESSION/NAME.py is one, found by its place."""
import ast
import importlib
import pkgutil
from pathlib import Path

from .card import Config

# The sessions in the order of the course, and the order of the exercises within; others follow by name.
SESSIONS = {
    "supervised": ("training_algorithms", "generalization", "noise", "network_size", "personal_regression",
                   "regularization"),
    "recurrent": ("hopfield_attractors", "hopfield_digits", "laser_mlp", "laser_lstm"),
    "features": ("pca", "autoencoder", "stacked_autoencoder", "conv_arithmetic", "cnn_digits", "mnist_optimizers", "attention",
                 "vit_mnist"),
    "generative": ("rbm", "dbm", "gan", "dcgan", "wgan", "optimal_transport", "vae", "generative_comparison"),
}


def discover() -> dict[str, str]:
    """{name: session} of all exercises, in order. Looks at file names only: nothing is imported."""
    found = {}
    for session, order in SESSIONS.items():
        names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).with_name(session))])
                 if not module.name.startswith("_")]
        position = {name: i for i, name in enumerate(order)}
        found |= {name: session for name in sorted(names, key=lambda name: (position.get(name, len(order)), name))}
    return found


def change_first(name: str) -> str:
    """What an exercise tells its reader to change first, and which test guards it: the end of its docstring. Nothing is
    imported; empty for an exercise that is not there, or that is no Python at the moment."""
    path = Path(__file__).parent / discover().get(name, "") / f"{name}.py"
    if not path.is_file():
        return ""
    try:
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    except (SyntaxError, ValueError):                       # run says so when it comes to it
        return ""
    return " ".join(docstring.partition("Change first: ")[2].split())


def load(name: str):
    """The module of an exercise. TypeError: it does not offer what an exercise must."""
    path = f"exercises.{discover()[name]}.{name}"
    module = importlib.import_module(path)
    missing = [part for part in ("build", "CONFIG", "QUICK", "run") if not hasattr(module, part)]
    if not (module.__doc__ or "").strip():
        missing.append("a docstring, whose first line is the title")
    if missing:
        raise TypeError(f"the exercise {path} lacks {', '.join(missing)}")
    if not isinstance(module.CONFIG, Config) or type(module.CONFIG) is not type(module.QUICK):
        raise TypeError(f"the exercise {path}: CONFIG and QUICK must be of one class, a subclass of Config")
    if module.CONFIG.quick or not module.QUICK.quick:
        raise TypeError(f"the exercise {path}: only QUICK must have quick=True")
    return module
