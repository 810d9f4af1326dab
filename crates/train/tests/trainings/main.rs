//! The tests of whole trainings. One program, since each that trains compiles the trainer again. Tests that count allocations, or
//! look at what belongs to the whole process, are programs of their own.

mod augmentation;
mod batch_statistics;
mod evaluation;
mod finite;
mod graphs;
mod groups;
mod interruption;
mod kfac;
mod limits;
mod losses_and_metrics;
mod optimizers;
mod pytorch;
mod schedules;
mod sparse_samples;
mod stateful;
mod tables;
mod training;
mod warnings;
mod weights;
mod zero_columns;
