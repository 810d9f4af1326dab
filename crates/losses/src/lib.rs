//! The Loss trait and the losses
