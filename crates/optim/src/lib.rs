//! Optimizers, schedules and clipping over flat slices
