//! Training with several processes, on one machine or many, over MPI.
//!
//! An MPI starts the processes, finds the machines and carries the messages: Open MPI or MPICH, on a cluster with Slurm, on Kubernetes, or
//! on two workstations. [`MpiGroup`] is the [`Group`](chainrule_train::Group) of these processes, which
//! [`Trainer::group`](chainrule_train::Trainer::group) takes.
//!
//! `mpirun -n 4 program` starts four processes of a program that calls [`MpiGroup::start`]. Messages are bytes and nothing is summed by
//! MPI, so the parameters have the bits of one process.
//!
//! The decision here: **one thread alone calls MPI.** It receives whatever arrives into memory, sends what it is given, and hands
//! messages over to the thread that trains. So any MPI will do, however it treats threads, messages travel while a pass is computed, and a
//! process that waits for another one can stop waiting.
//!
//! All of this needs the feature `mpi`, and an MPI with its headers and libclang when it is built (Debian's `openmpi-bin libopenmpi-dev
//! libclang-dev`). Without the feature the crate is empty.
#![doc(html_root_url = "https://docs.rs/chainrule-mpi/latest")]
#![cfg_attr(not(feature = "mpi"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "mpi")]
mod group;
#[cfg(feature = "mpi")]
mod mailbox;
#[cfg(feature = "mpi")]
#[expect(unsafe_code, reason = "the boundary to C: MPI reads the memory of a message until it has sent it")]
mod sending;
#[cfg(feature = "mpi")]
mod service;
#[cfg(feature = "mpi")]
mod spare;

#[cfg(feature = "mpi")]
pub use group::{MpiError, MpiGroup};
