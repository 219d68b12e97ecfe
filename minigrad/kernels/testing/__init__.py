"""A GPU to read and to break: kernels compiled with g++ and run on the CPU."""
