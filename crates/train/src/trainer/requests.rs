//! What callbacks ask a trainer for.

use std::path::PathBuf;

use chainrule_tensor::Real;

use super::error::TrainError;
use super::snapshot::Snapshot;
use super::warning::TrainWarning;

/// What callbacks have asked for at an event. It is empty, and allocates nothing, unless they do.
pub(super) struct Requests<T: Real> {
    pub(super) restore: Option<Snapshot<T>>,
    pub(super) save: Vec<PathBuf>,
    /// Whether the callback that is told now wants a checkpoint.
    pub(super) checkpoint: bool,
    /// The callbacks that want one, by their index.
    pub(super) wanting: Vec<usize>,
    pub(super) warnings: Vec<TrainWarning>,
    pub(super) error: Option<TrainError>,
}

impl<T: Real> Default for Requests<T> {
    fn default() -> Self {
        Self {
            restore: None,
            save: Vec::new(),
            checkpoint: false,
            wanting: Vec::new(),
            warnings: Vec::new(),
            error: None,
        }
    }
}
