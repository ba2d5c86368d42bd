"""What a loader returns, and where it finds its files. A loader to read next: regression.py."""
import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinynn.autograd.settings import default_rng

log = logging.getLogger("tinynn.data")

# Every file of every data set, with its sha256. A file is read only if it is, byte for byte, the published one:
# then its contents are known, and a loader need not check them again.
FILES = {
    "hopfield_digits": {
        "kuleuven/digits.mat": "a90212520797400fce1101adcae33bc2eb8e7e31007cf59bdf9940920b47c37a",
    },
    "regression_problem": {
        "kuleuven/Data_Problem1_regression.mat": "8892b64603497bfecc7d8f3de402f93759f35f5986d6c17505ea0274cdb70df0",
    },
    "santa_fe_laser": {
        "santafe/lasertrain.dat": "2471442ddccb9b7aa0214e1ba5a885d990c523df6cbdc694abacb0fd191da5f6",
        "santafe/laserpred.dat": "be420706e3928409159f22aac148ea6748f54b4e6863653b31c6e9d6e19ce18f",
    },
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set; the rows of x and y belong together.

    x_test, y_test: None where there is no official test set; draw your own with `disjoint_samples`.
    real: False for a generated stand-in. `origin` says it in words, for logs and figures.
    """
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray | None
    y_test: np.ndarray | None
    name: str
    real: bool

    @property
    def origin(self) -> str:
        return "real data" if self.real else "generated stand-in"


def find(relative: str) -> Path | None:
    """The file `relative` (as "kuleuven/threes.mat") in $TINYNN_DATA or the user's cache; else None, with a warning.

    ValueError: the file is damaged, or not the published one; the message names it.
    """
    path = locate(relative)
    if path is None:
        log.warning("%s is in none of: %s. Using a generated STAND-IN.",
                    relative, ", ".join(str(folder) for folder in folders()))
        return None
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != published(relative):
        raise ValueError(f"{path} is damaged, or is not the published file: its sha256 starts {found[:12]}, "
                         f"expected {published(relative)[:12]}; replace it, or delete it to use the stand-in")
    return path


def locate(relative: str) -> Path | None:
    """Where `relative` is, unread; None if nowhere."""
    return next((folder / relative for folder in folders() if (folder / relative).is_file()), None)


def folders() -> list[Path]:
    """Where to look, in order."""
    import pooch
    named = os.environ.get("TINYNN_DATA")
    cache = Path(pooch.os_cache("tinynn"))
    return [Path(named), cache] if named else [cache]


def published(relative: str) -> str:
    """The sha256 that the file must have."""
    return {file: digest for files in FILES.values() for file, digest in files.items()}[relative]


def disjoint_samples(n_rows: int, sizes, rng=None) -> tuple[np.ndarray, ...]:
    """Row numbers for samples that share no row: for each of `sizes` an int array, drawn from range(n_rows) at random.

        train, validation, test = disjoint_samples(len(x), (1000, 1000, 1000), rng)
        x[train], y[train]                  # whole rows, so the pairs stay together

    rng: Generator, seed, or None for the default Generator. ValueError: more rows are asked for than there are.
    """
    sizes = tuple(sizes)
    if any(size < 0 for size in sizes) or sum(sizes) > n_rows:
        raise ValueError(f"disjoint_samples: sizes {sizes} add up to {sum(sizes)}; expected sizes from 0 up, together "
                         f"at most {n_rows}, the number of rows")
    rows = default_rng(rng).permutation(n_rows)[:sum(sizes)]
    return tuple(np.split(rows, np.cumsum(sizes)[:-1])) if sizes else ()
