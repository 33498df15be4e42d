"""``python -m tests.fuzz --cases 2000 [--first 0] [--verbose]``: random problems by seed."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.fuzz.cases import draw
from tests.fuzz.check import Violation, check


def run(cases: int, first: int = 0, verbose: bool = False) -> tuple[Counter[str], list[str]]:
    """Check the cases of some seeds; return what happened, and the violations."""
    counts: Counter[str] = Counter()
    violations: list[str] = []
    for seed in range(first, first + cases):
        case = draw(seed)
        start = time.perf_counter()
        try:
            check(case, counts)
        except Exception as error:
            # Also what goes wrong after the fit, in predict or in the comparison.
            message = str(error) if isinstance(error, Violation) else f"{case}: {error!r}"
            violations.append(message)
            print(f"VIOLATION {message}", flush=True)
        spent = time.perf_counter() - start
        if verbose and spent > 2:
            print(f"{spent:.1f} s: {case}", flush=True)
    return counts, violations


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print a summary, and return 1 if there are violations."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--verbose", action="store_true", help="also errors, and slow cases")
    arguments = parser.parse_args(argv)
    start = time.perf_counter()
    counts, violations = run(arguments.cases, arguments.first, arguments.verbose)
    for what, n in counts.most_common():
        if arguments.verbose or not what.startswith("error:"):
            print(f"{n:6d} {what}")
    spent = time.perf_counter() - start
    print(f"{arguments.cases} cases, {len(violations)} violations, {spent:.0f} s")
    return int(bool(violations))


if __name__ == "__main__":
    sys.exit(main())
