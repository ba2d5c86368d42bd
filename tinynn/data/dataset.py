"""What a loader returns, and where it finds its files, which sources.py lists. A loader to read next: regression.py."""
import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinynn.arguments import check_count
from tinynn.autograd.settings import default_rng

from .sources import FILES

log = logging.getLogger("tinynn.data")


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


def find(name: str) -> list[Path] | None:
    """The files of the data set `name`, in the order of sources.py, in $TINYNN_DATA or the user's cache.

    None, with a warning, if one is missing. ValueError: one is damaged, or not the published one; the message names it.
    """
    if name not in FILES:
        raise ValueError(f"find: there is no data set {name!r}; there are {', '.join(sorted(FILES))}")
    missing = [file for file in FILES[name] if not locate(file)]
    if missing:
        log.warning("%s: using a generated STAND-IN, for want of %s in %s; `python -m tinynn data fetch %s` gets the real "
                    "data", name, ", ".join(missing), " or ".join(str(folder) for folder in folders()), name)
        return None
    return [verified(locate(file), digests) for file, digests in FILES[name].items()]


def locate(file: str) -> Path | None:
    """Where a file (as "kuleuven/threes.mat") is, unread; None if nowhere."""
    return next((folder / file for folder in folders() if (folder / file).is_file()), None)


def folders() -> list[Path]:
    """Where to look, in order; the last is the user's cache."""
    import pooch
    named = os.environ.get("TINYNN_DATA")
    cache = Path(pooch.os_cache("tinynn"))
    return [Path(named), cache] if named else [cache]


def verified(path: Path, digests) -> Path:
    """The path, if the file has the sha256, or one of a tuple of them; else ValueError."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found not in digests:
        raise ValueError(f"{path} is damaged, or is not the published file: its sha256 is {found}, expected {digests}; "
                         "replace it, or delete it to use the stand-in")
    return path


def disjoint_samples(n_rows: int, sizes, rng=None) -> tuple[np.ndarray, ...]:
    """Row numbers for samples that share no row: for each of `sizes` an int array, drawn from range(n_rows) at random.

        train, validation, test = disjoint_samples(len(x), (1000, 1000, 1000), rng)
        x[train], y[train]                  # whole rows, so the pairs stay together

    rng: Generator, seed, or None for the default Generator. ValueError: more rows are asked for than there are.
    """
    if not np.iterable(sizes):
        raise TypeError(f"disjoint_samples: sizes is {sizes!r}; expected numbers of rows, as (1000, 500)")
    sizes = tuple(sizes)
    for i, size in enumerate(sizes):
        check_count(f"disjoint_samples: sizes[{i}]", size, 0)
    if sum(sizes) > n_rows:
        raise ValueError(f"disjoint_samples: sizes {sizes} add up to {sum(sizes)}; expected sizes from 0 up, together "
                         f"at most {n_rows}, the number of rows")
    rows = default_rng(rng).permutation(n_rows)[:sum(sizes)]
    return tuple(np.split(rows, np.cumsum(sizes)[:-1])) if sizes else ()
