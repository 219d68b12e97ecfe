"""What walkthroughs 07 (GPU kernels) and 10 (fast convolution) run, measure and draw with.

`emulated.py` and `kernel_pictures.py` serve the first, `stopwatch.py` and `convolution_pictures.py`
the second.
"""
