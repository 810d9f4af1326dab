//! The convolutions.

mod conv;
mod copied;
mod correlation;
mod lowering;
mod overlapped;
mod window;

pub use conv::{Conv, Conv1d, Conv2d, Conv3d};
pub use window::{Padding, PerAxis};
