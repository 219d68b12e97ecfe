"""Softmax cross entropy."""
