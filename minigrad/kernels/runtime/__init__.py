"""What every kernel needs: threads on the CPU, launches on the GPU, windows over images."""
