"""Random problems for every estimator: a documented error, or a certified optimum."""
