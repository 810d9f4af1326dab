//! Pooling: each output is one number for a window of inputs, channel by channel.
//!
//! Samples are `[channels, length]`, `[channels, height, width]` or `[channels, depth, height, width]`. What the windows
//! are is computed once, in `plan`, for all kinds (`windows.rs`); what makes a number of a window is a [`Rule`].

mod adaptive;
mod average;
mod lp;
mod max;
mod pool;
mod unpool;
mod windows;

pub use adaptive::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, AdaptivePool, GlobalAvgPool, GlobalMaxPool, GlobalPool,
};
pub use average::{Avg, AvgPool1d, AvgPool2d, AvgPool3d};
pub use lp::{Lp, LpPool1d, LpPool2d, LpPool3d};
pub use max::{Max, MaxPool1d, MaxPool2d, MaxPool3d};
pub use pool::{Notes, Pool, Pooled, Rule, Values};
pub use unpool::{MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d, Places};
pub use windows::Windows;
