"""skmtl compared with other packages on the same problems.

``python -m benchmarks.peers`` runs every peer that is installed (see ``__main__`` for the options).
Every peer works in its own process with the same number of threads. The runner evaluates the
returned coefficients itself and ignores the objective values reported by the peers.
"""
