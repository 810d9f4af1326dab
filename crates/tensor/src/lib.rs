//! Numbers, shapes, buffers, the matrix product and vector mathematics: the foundation of chainrule's other crates.
//!
//! ```
//! use chainrule_tensor::{Buffer, Seed, each, gemm, vector};
//!
//! // Y = softmax(relu(X W)) for a batch of two samples.
//! let mut rng = Seed(1).rng();
//! let mut x = Buffer::<f32>::zeros(2 * 3);
//! let mut w = Buffer::<f32>::zeros(3 * 4);
//! x.iter_mut().chain(&mut *w).for_each(|value| *value = rng.normal() as f32);
//! let mut y = Buffer::<f32>::zeros(2 * 4);
//! gemm(1.0, x.matrix(2, 3), w.matrix(3, 4), 0.0, y.matrix_mut(2, 4));
//! each!(y = y.max(0.0));
//! vector::softmax(&mut y, 4);
//! assert!((vector::sum(&y) - 2.0).abs() < 1e-6);
//! ```
//!
//! The decision here: **everything that depends on the machine is in this crate**, so that everything else is plain, safe,
//! portable Rust that reads as the mathematics. All `unsafe` code of the computation is here, and this is the only crate that knows of OpenBLAS and
//! of vector instructions. It detects both at run time: a crate built for any x86-64 is as fast as one built with
//! `-C target-cpu=native`.
//!
//! - [`Real`] is `f32` or `f64`; [`Shape`] is the shape of one sample; [`Buffer`] is aligned memory, which [`doubles`] lends for
//!   numbers of double precision, and [`bytes_of`] lends as bytes, its own or [`SharedMemory`]; [`Target`] is what a loss compares an output with.
//! - [`gemm()`] is the matrix product of `ndarray` views, by BLAS or by kernels of our own. With [`PortableProducts`] it has the same
//!   bits on every CPU. [`SparseMatrix`] is a matrix most of whose values are 0, and [`UsedColumns`] are those of a
//!   matrix that are not zeros, in products that leave out the others. [`interleaved`] has the products of many small matrices.
//! - [`vector`] runs a formula over many numbers with the widest instructions of the CPU.
//! - [`conv`] has the loops and products that convolutions and poolings are made of.
//! - [`Seed`] gives random numbers that depend on a position, not on an order.
//! - [`blas`] tells which BLAS and kernel are in use, and corrects a bad choice; [`simd`] tells which instructions are.
//! - [`FlushDenormals`], [`prefetch`] and [`in_huge_pages`] control the machine; [`CountingAllocator`] counts allocations, for
//!   tests and benchmarks; [`prepare_for_scarce_memory`] lets a program say why it ends where there is too little memory.
//!
//! # Which BLAS
//!
//! | feature | library |
//! |---|---|
//! | `openblas` (default) | the system's OpenBLAS |
//! | `openblas-static` | OpenBLAS, built from source and linked statically |
//! | `intel-mkl` | Intel MKL |
//! | `accelerate` | Apple's Accelerate |
//! | `netlib` | the reference BLAS |
//! | none of them | our own kernels: nothing to install, and with AVX2 nearly as fast as OpenBLAS; on an x86-64 without it, ndarray's product |
#![doc(html_root_url = "https://docs.rs/chainrule-tensor/latest")]

mod buffer;
mod bytes;
pub mod conv;
mod double;
mod kernels;
mod machine;
// Kernels index arrays of registers by constants. Closures and iterators over them have to be inlined for that, which a program's
// profile decides: with one codegen unit some were not, and kernels kept their sums in memory.
#[allow(clippy::needless_range_loop)]
mod matmul;
mod real;
mod seed;
mod shape;
// As in `matmul`.
#[allow(clippy::needless_range_loop)]
pub mod simd;
mod target;
pub mod vector;

pub use buffer::Buffer;
pub use bytes::{bytes_mut, bytes_of};
pub use double::{doubles, scratch_for_doubles};
pub use machine::{
    CountingAllocator, FlushDenormals, NotingAllocator, SharedMemory, blas, in_huge_pages, memory_limit,
    move_to_core, prefetch, prefetch_mut, prepare_for_scarce_memory,
};
pub use matmul::{
    MAX_PRODUCTS, PortableProducts, SparseError, SparseMatrix, UsedColumns, gemm, gemm_sum, interleaved,
};
pub use real::Real;
pub use seed::{Rng, Seed};
pub use shape::{MAX_RANK, Shape};
pub use target::{
    AnyTarget, AnyTargetView, ClassTarget, OutputTarget, Outputs, SequenceSlice, Steps, Target, TargetError,
    TargetView, Weighted,
};
