//! A trainer's place in a group.

use std::sync::Arc;

use crate::group::Group;

/// The group that a trainer is a member of.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) group: Arc<dyn Group>,
    /// Whether an error has ended what the group does together.
    pub(super) is_over: bool,
}
