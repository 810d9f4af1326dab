//! Pooling: each output summarises a window of inputs, channel by channel.
//!
//! Samples are `[channels, length]`, `[channels, height, width]` or `[channels, depth, height, width]`. The windows of all kinds are
//! computed once, in `plan` (`pool_windows.rs`); how a window becomes one number is a rule: [`Max`], [`Avg`] or [`Lp`].

mod adaptive;
mod average;
mod cache;
mod lp;
mod max;
mod pool;
mod pool_windows;
mod rule;
mod unpool;

pub use adaptive::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, AdaptivePool, GlobalAvgPool, GlobalMaxPool, GlobalPool,
};
pub use average::{Avg, AvgPool1d, AvgPool2d, AvgPool3d};
pub use lp::{Lp, LpPool1d, LpPool2d, LpPool3d};
pub use max::{Max, MaxPool1d, MaxPool2d, MaxPool3d};
pub use pool::Pool;
pub use unpool::{MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d};
