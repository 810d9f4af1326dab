//! Model, Trainer, callbacks and model files
