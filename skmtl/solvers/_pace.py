"""How many more iterations a solver needs, judged by how fast the gap has fallen so far."""

import numpy as np


class Pace:
    """The gaps of a solver at its certificates, and a forecast from them.

    Parameters
    ----------
    least, most : int
        The range of iterations between certificates.
    """

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most
        # The number of iterations at each certificate, and the gap.
        self.gaps: list[tuple[int, float]] = []

    def add(self, n_steps: int, gap: float) -> None:
        """Record the gap of a certificate."""
        self.gaps.append((n_steps, gap))

    def remaining(self, enough: float) -> float:
        """The expected number of further iterations, at the rate of the second half so far."""
        (first, before), (last, gap) = self.gaps[(len(self.gaps) - 1) // 2], self.gaps[-1]
        fallen = np.log(before / gap)
        if not fallen > 0:
            return np.inf
        return float(np.log(gap / max(enough, 1e-300)) * (last - first) / fallen)

    def until_next(self, enough: float) -> int:
        """The number of iterations until the next certificate is worth its cost."""
        return int(np.clip(self.remaining(enough), self.least, self.most))


class Paced:
    """A solver that certifies more often when few iterations remain."""

    pace: Pace
    n_steps: int
    iterations_per_certificate: int
    # Whether there is a certificate since the last look ahead.
    is_certified: bool

    def _look_ahead(self, gap: float, enough: float) -> None:
        """Certify more often when few iterations remain."""
        self.pace.add(self.n_steps, gap)
        if self.n_steps > 0:
            self.iterations_per_certificate = self.pace.until_next(enough)
        self.is_certified = False
