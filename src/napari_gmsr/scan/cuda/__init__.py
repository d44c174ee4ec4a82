"""CUDA C++ kernels of the fused scan, and their compilation at run time."""
