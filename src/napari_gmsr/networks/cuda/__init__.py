"""CUDA C++ kernels of the fused network, and how they are laid out."""
