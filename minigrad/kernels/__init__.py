"""Data movement and arithmetic too heavy for one line: what convolution and pooling are made of.

Every array here has the shape (N, C, H, W). Its memory is channels-last wherever a kernel made it:
H, W, C from slow to fast behind a transposed view, so that one pixel's channels lie side by side,
1x1 convolutions are a single matrix product and every copy moves runs of C numbers.
"""
