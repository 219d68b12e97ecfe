"""`python -m experiments`: see `experiments.cli`."""

import sys

if __name__ == "__main__":
    try:
        from experiments.cli import main  # in here: Ctrl-C may come while it is imported
        sys.exit(main())
    except KeyboardInterrupt:
        print("experiments: interrupted", file=sys.stderr)
        sys.exit(130)
