"""The command line: `python -m tinynn data [fetch NAME...]` and `python -m tinynn check FILE.py::FUNCTION`."""
import sys

USAGE = """usage: python -m tinynn COMMAND

  data                      list the data sets, and where each would come from
  data fetch NAME... | all  download data sets, each file checked by its sha256
  check FILE.py::FUNCTION   property-test an op of your own: values, gradients, shapes, dtypes
"""


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code: 0 for success, 2 for a command that does not exist."""
    command, *rest = argv or ["help"]
    if command == "check":
        from tinynn.autograd.check_cli import main as check
        return check(rest)
    if command == "data":
        from tinynn.data.listing import main as data
        return data(rest)
    asked = command in ("help", "-h", "--help")
    print(USAGE if asked else f"python -m tinynn: there is no command '{' '.join(argv)}'\n\n{USAGE}",
          file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
