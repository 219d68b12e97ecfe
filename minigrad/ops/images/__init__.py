"""Ops on images and lines beyond convolution and pooling: other sizes, windows side by side, the
forms of ops on images for lines (N, C, L).
"""
