//! The matrix product: by BLAS, or by kernels of our own where they are faster.

#[cfg(feature = "blas")]
mod cblas;
pub(crate) mod gemm;
#[cfg(target_arch = "x86_64")]
pub(crate) mod nt_avx512;
#[cfg(any(target_arch = "x86_64", test))]
pub(crate) mod panels;
#[cfg(target_arch = "x86_64")]
pub(crate) mod small_avx512;
mod split_depth;
#[cfg(target_arch = "x86_64")]
mod transpose_avx512;
mod unsplit;

pub use gemm::{gemm, gemm_pair};
