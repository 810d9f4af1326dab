//! The matrix product: by BLAS, or by kernels of our own where they are faster.

#[cfg(feature = "blas")]
mod cblas;
mod chain;
pub(crate) mod gemm;
pub mod interleaved;
#[cfg(target_arch = "x86_64")]
mod list_avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) mod nt_avx512;
pub(crate) mod panels;
mod portable;
#[cfg(target_arch = "x86_64")]
pub(crate) mod small_avx512;
mod sparse;
mod split_depth;
#[cfg(target_arch = "x86_64")]
mod transpose_avx512;
mod unsplit;
mod used_columns;

pub use gemm::{MAX_PRODUCTS, gemm, gemm_sum};
pub use portable::PortableProducts;
pub(crate) use portable::choice;
pub use sparse::{SparseError, SparseMatrix};
pub use used_columns::UsedColumns;
