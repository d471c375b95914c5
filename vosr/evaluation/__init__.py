"""Evaluation of models and of other tools' results on benchmarks."""
