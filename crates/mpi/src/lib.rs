//! Training with several processes, on one machine or many, over MPI.
//!
//! An MPI starts the processes, finds the machines and carries the messages: Open MPI or MPICH, on a cluster with Slurm, on Kubernetes, or
//! on two workstations. [`MpiGroup`] is the [`Group`](chainrule_train::Group) of these processes, which
//! [`Trainer::group`](chainrule_train::Trainer::group) takes.
//!
//! `mpirun -n 4 program` starts four processes of a program that calls [`MpiGroup::start`]. Messages are bytes and nothing is summed by
//! MPI, so the parameters have the bits of one process.
//!
//! The decision here: **one thread at a time calls MPI**, and no call waits. The thread that trains sends and receives where its numbers are stored,
//! and asks again and again for a message that it waits for, so it can stop waiting; another one lets messages travel while it computes. To
//! hand messages over from one thread to the other would take longer than many a message, where both have one core.
//!
//! All of this needs the feature `mpi`, and an MPI with its headers and libclang when it is built (Debian's `openmpi-bin libopenmpi-dev
//! libclang-dev`). Without the feature the crate is empty.
#![doc(html_root_url = "https://docs.rs/chainrule-mpi/latest")]
#![cfg_attr(not(feature = "mpi"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "mpi")]
mod group;
#[cfg(feature = "mpi")]
#[expect(unsafe_code, reason = "the boundary to C: MPI reads memory that is borrowed")]
mod loans;
#[cfg(feature = "mpi")]
#[expect(unsafe_code, reason = "the boundary to C: threads that take turns share what belongs to MPI")]
mod port;
#[cfg(feature = "mpi")]
#[expect(unsafe_code, reason = "the boundary to C: MPI reads the memory of a message until it has sent it")]
mod sending;
#[cfg(feature = "mpi")]
mod service;
#[cfg(feature = "mpi")]
#[expect(unsafe_code, reason = "the boundary to the system: memory that several processes map")]
mod shared;
#[cfg(feature = "mpi")]
mod spare;

#[cfg(feature = "mpi")]
pub use group::{MpiError, MpiGroup};
