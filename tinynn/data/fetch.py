"""`python -m tinynn data fetch NAME... | all`: download data sets into the user's cache, where the loaders find them.

sources.py says from where. Mirrors are tried in turn: one that does not answer, breaks off, or sends something else than the
published file is named in the log, and the next one follows. A file is written beside its place, checked, and then renamed
(pooch does this): whatever happens, a file in the cache is whole.
"""
import logging
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from .dataset import folders, locate, verified
from .sources import CIFAR10, FILES, MIRRORS

log = logging.getLogger("tinynn.data")

CHUNK = 1 << 16                 # bytes


def main(names: list[str]) -> int:
    """Fetch the named sets; returns the exit code: 0, 1 if one could not be had, 2 for a wrong name, 130 for Ctrl-C."""
    wrong = [name for name in names if name not in (*FILES, "all")]
    if wrong or not names:
        print(f"python -m tinynn data fetch: there is no {', '.join(wrong)}; " if wrong else
              "python -m tinynn data fetch NAME...; ", f"the names are {', '.join(FILES)}, all", sep="")
        return 2
    failed = False
    for name in FILES if "all" in names else names:
        try:
            fetch(name)
        except (OSError, ValueError) as error:
            failed = True
            print(f"{name}: FAILED: {error}")
        except KeyboardInterrupt:
            print(f"\n{name}: stopped; what was downloaded whole is kept")
            return 130
    return int(failed)


def fetch(name: str):
    """Download the files of the data set `name` that are not there yet.

    OSError: no mirror had one of them; the message names each, and why. ValueError: a damaged file in $TINYNN_DATA, which is
    yours, and is left alone; in the cache, it is replaced.
    """
    cache = folders()[-1]
    for file, digests in FILES[name].items():
        there, place = locate(file), cache / file
        try:
            if there:
                print(f"{name}: {verified(there, digests)} is there already")
                continue
        except ValueError:
            if there != place:                      # else it is ours, to be fetched again
                raise
        if name == "cifar10_dogs":
            make_dogs(place, digests)
        else:
            download(place, MIRRORS[name], digests)
        print(f"{name}: {place}")


def download(place: Path, mirrors, digest: str):
    """Download the file place.name from the first of the mirrors that has it whole."""
    import pooch
    from tqdm import tqdm
    pooch.get_logger().setLevel(logging.WARNING)
    failures = []
    for mirror in mirrors:
        # The bar appears after a second, so not for small files, and not in a log file. Its total is what the server says.
        with tqdm(desc=place.name, total=1, unit="B", unit_scale=True, delay=1, disable=None, leave=False) as bar:
            # "identity": not to be compressed on the way, or what comes off the wire would be unpacked and no more the file
            downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, headers={"Accept-Encoding": "identity"})
            try:
                pooch.retrieve(mirror + place.name, f"sha256:{digest}", place.name, place.parent, downloader=downloader)
                return
            except (OSError, ValueError) as error:              # those of the network are OSErrors
                why = "not the published file (its sha256 differs)" if type(error) is ValueError else str(error)
                failures.append(f"{mirror}{place.name}: {why}")
                log.warning("%s", failures[-1])
    raise OSError(f"no mirror gave {place.name}:\n  " + "\n  ".join(failures))


def make_dogs(place: Path, digests):
    """Make the file of cifar10_dogs from all of CIFAR-10: five files of 10,000 records, each a label and 3 × 32 × 32 bytes."""
    archive, digest = CIFAR10
    print(f"cifar10_dogs: taking the dogs from {archive}, 170 MB")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        download(Path(folder) / archive, MIRRORS["cifar10_dogs"], digest)
        dogs = []
        with tarfile.open(Path(folder) / archive) as tar:
            for i in range(1, 6):
                batch = tar.extractfile(f"cifar-10-batches-bin/data_batch_{i}.bin").read()
                records = np.frombuffer(batch, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
                dogs.append(records[records[:, 0] == 5, 1:])
        images = np.concatenate(dogs).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)          # (5000, 32, 32, 3)
        beside = Path(folder) / place.name
        write_npz(beside, np.ascontiguousarray(images))
        os.replace(verified(beside, digests), place)


def write_npz(path, images):
    """As np.savez, but the same bytes on every machine."""
    member = zipfile.ZipInfo("images.npy")                      # of 1980
    member.create_system = 3                                    # Unix, even on Windows
    with zipfile.ZipFile(path, "w") as archive, archive.open(member, "w") as file:
        np.lib.format.write_array(file, images, version=(1, 0), allow_pickle=False)
