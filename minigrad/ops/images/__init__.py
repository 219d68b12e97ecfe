"""Ops on images and lines beyond convolution and pooling: other sizes, pixels out of channels, the
forms of ops on images for lines (N, C, L).
"""
