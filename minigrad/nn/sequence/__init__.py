"""Layers for sequences: embeddings, attention, transformers, recurrent networks."""
