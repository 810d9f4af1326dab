//! Numbers, shapes, buffers, the matrix product and vector mathematics: what chainrule's other crates
//! stand on.
//!
//! The decision here: **everything that depends on the machine is in this crate**, so that everything
//! else is plain, safe, portable Rust that reads as the mathematics. This is the only crate with `unsafe`,
//! the only one that knows of OpenBLAS and of vector instructions, and it finds both out while the program
//! runs: a crate built for any x86-64 is as fast as one built with `-C target-cpu=native`.
//!
//! - [`Real`] is `f32` or `f64`; [`Shape`] the shape of one sample; [`Buffer`] aligned memory;
//!   [`Params`] and [`Grads`] a layer's view of the flat parameters, [`SparseGrad`] the gradient of a table of
//!   which few rows are used; [`Target`] what a row is to become.
//! - [`gemm`] is the matrix product of `ndarray` views through BLAS.
//! - [`vector`] runs a closure over many numbers with the widest instructions of the CPU.
//! - [`Seed`] gives random numbers that depend on a position, not on an order.
//! - [`blas`] tells which BLAS and kernel is in use, and repairs a bad choice.
//! - [`CountingAllocator`] counts allocations, for tests and benchmarks.
//!
//! # Which BLAS
//!
//! | feature | library |
//! |---|---|
//! | `openblas` (default) | OpenBLAS as the system installed it |
//! | `openblas-static` | OpenBLAS, built from source and linked statically |
//! | `intel-mkl` | Intel MKL |
//! | `accelerate` | Apple's Accelerate |
//! | `netlib` | the reference BLAS |
//! | none of them | ndarray's product in pure Rust: slower, but it needs nothing installed |

mod allocator;
pub mod blas;
mod blocks;
mod buffer;
mod denormals;
#[cfg(target_arch = "x86_64")]
mod direct;
#[cfg(target_arch = "x86_64")]
mod dots;
mod gemm;
mod huge;
pub mod isa;
mod prefetch;
pub mod quads;
mod real;
mod seed;
mod shape;
mod taps;
mod target;
#[cfg(target_arch = "x86_64")]
mod transpose;
pub mod vector;

pub use allocator::CountingAllocator;
pub use blocks::{Block, Blocks};
pub use buffer::Buffer;
pub use denormals::FlushDenormals;
pub use gemm::{gemm, gemm_pair};
pub use huge::in_huge_pages;
pub use prefetch::{prefetch, prefetch_mut};
pub use real::Real;
pub use seed::{Rng, Seed};
pub use shape::{MAX_RANK, Shape};
pub use taps::{Onto, Taps};
pub use target::{Steps, Target, TargetView, Window};
