"""skmtl beside other packages on the same problems: problems, solvers and runner apart.

``python -m benchmarks.peers`` runs every peer that is installed (``__main__`` tells the options).
Every peer works in a process of its own, with the same number of threads; only what it returns
counts, and the runner measures that itself.
"""
