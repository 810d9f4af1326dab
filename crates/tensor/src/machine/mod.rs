//! What depends on the machine, apart from its vector instructions.

mod affinity;
pub mod blas;
pub(crate) mod blas_scratch;
mod counting_allocator;
mod denormals;
mod huge_pages;
mod memory;
mod prefetch;
mod refused;
mod scarce_memory;
mod shared_memory;

pub use affinity::move_to_core;
pub use counting_allocator::CountingAllocator;
pub use denormals::FlushDenormals;
pub use huge_pages::in_huge_pages;
pub use memory::memory_limit;
#[cfg(target_arch = "aarch64")]
pub(crate) use prefetch::prefetch_line;
pub use prefetch::{prefetch, prefetch_mut};
pub use refused::NotingAllocator;
pub use scarce_memory::prepare_for_scarce_memory;
pub(crate) use shared_memory::ALIGN;
pub use shared_memory::SharedMemory;
