"""`python -m tinynn data`: which data sets there are, and where each would come from."""
from .dataset import FILES, find, folders, locate


def main() -> int:
    """Print one line per data set; returns the exit code, 1 if a file is damaged."""
    print("Looked in, in this order: " + ", ".join(str(folder) for folder in folders()))
    damaged = False
    for name, files in FILES.items():
        if not all(locate(file) for file in files):
            print(f"{name:20}  stand-in (generated)   wanted: {', '.join('$TINYNN_DATA/' + file for file in files)}")
            continue
        try:
            print(f"{name:20}  real data   {', '.join(str(find(file)) for file in files)}")
        except ValueError as error:
            damaged = True
            print(f"{name:20}  DAMAGED   {error}")
    return int(damaged)
