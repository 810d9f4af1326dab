//! Train neural networks on the CPU at the speed of its BLAS
