//! What a trainer keeps from step to step, and what a checkpoint is made of.

use std::sync::Arc;
use std::time::Instant;

use chainrule_core::carried::CarriedState;
use chainrule_optim::schedule::Plateau;
use chainrule_optim::{Run, Step};
use chainrule_tensor::{Buffer, Real, SharedMemory, UsedColumns};

use super::forward::OfGroup;
use super::history::EpochReport;
use super::overlap::TrainedSamples;
use super::requests::Requests;
use super::tallies::Tallies;
use crate::engine::buckets::Buckets;
use crate::engine::careful::Copies;
use crate::engine::exchange::Exchanges;
use crate::engine::factors::SecondMoments;
use crate::engine::gathered::Gathered;
use crate::engine::group_sum::GroupSum;
use crate::engine::members::Members;
use crate::engine::parts::{Part, Parts};
use crate::engine::range::RangeProof;
use crate::engine::reduce::Scratch;
use crate::engine::shard::Shard;
use crate::engine::split_k::SplitK;
use crate::engine::whole_batch::WholeBatch;
use crate::model::file::EpochPosition;

/// What a trainer keeps from step to step.
pub(super) struct State<T: Real, Y> {
    pub(super) shards: Vec<Shard<T, Y>>,
    /// More of them, without gradients, for evaluations on more threads than there are shards.
    pub(super) more_shards: Vec<Shard<T, Y>>,
    /// The first product of a training step, where it is split.
    pub(super) split_k: Option<SplitK<T>>,
    /// The columns that the samples of all shards use, where the first product is not split.
    pub(super) used: UsedColumns<T>,
    /// Empty before the first fit.
    pub(super) optimizer_state: Buffer<T>,
    /// Where in the state of all parameters it is, if that of this process is only a part.
    pub(super) part: Option<Part>,
    /// Who has which part.
    pub(super) parts: Option<Parts>,
    /// That of all, slot by slot, in bytes: while a checkpoint is made.
    pub(super) gathered: Option<Vec<u8>>,
    /// The optimizer's state of the whole training.
    pub(super) numbers: Vec<f64>,
    /// The gradient of all parameters, for an optimizer that needs all gradients at once.
    pub(super) total: Buffer<T>,
    /// What an optimizer may need beside the gradients.
    pub(super) factors: SecondMoments<T>,
    /// For each thread.
    pub(super) scratch: Vec<Scratch<T>>,
    pub(super) buckets: Buckets,
    pub(super) range: RangeProof,
    pub(super) copies: Copies<T>,
    /// No gradient of the batch is larger.
    pub(super) largest_grad: f64,
    /// How many steps have been left out.
    pub(super) skipped: u64,
    /// How many of them in a row, up to now.
    pub(super) skipped_in_a_row: u64,
    /// The weights that are evaluated in place of the trained ones; empty unless the optimizer averages.
    pub(super) averaged: Buffer<T>,
    /// The number of steps completed.
    pub(super) step: u64,
    /// What is known of the run.
    pub(super) run: Run,
    /// For a learning rate that is reduced when a quantity stops improving.
    pub(super) plateau: Plateau,
    /// The number of epochs completed.
    pub(super) epoch: u64,
    /// How far the training is in the epoch after these. What the metrics have counted is in the tallies, unless it comes from a
    /// checkpoint and no step was taken since.
    pub(super) position: EpochPosition,
    /// How much the samples of this epoch count, as far as it came.
    pub(super) epoch_weight: f64,
    /// When the training of this epoch began or went on, while it runs.
    pub(super) entered: Option<Instant>,
    /// What the metrics have counted in this epoch.
    pub(super) tallies: Tallies<T, Y>,
    /// The reports of all epochs.
    pub(super) history: Vec<EpochReport>,
    /// What callbacks have asked for.
    pub(super) requests: Requests<T>,
    /// The states of callbacks from a checkpoint, which they have not taken up yet.
    pub(super) restored: Vec<(String, Vec<u8>)>,
    /// The states that layers carry, for each shard, from a checkpoint, until the epoch goes on.
    pub(super) carried: Vec<Vec<CarriedState>>,
    /// Some of the samples of the last fit.
    pub(super) trained: TrainedSamples,
    /// The number of threads of the current pool; 1 where there is none.
    pub(super) threads: usize,
    /// The maximum number of samples that a pass takes in the current pool.
    pub(super) rows: usize,
    /// Whether all parameters of the model that is evaluated are finite.
    pub(super) is_finite_in_evaluation: bool,
    /// Whether the samples of the last pass were read without their zeros.
    pub(super) has_sparse_samples: bool,
    /// Where layers sum over the batch, and it has several shards: how these do.
    pub(super) exchanges: Option<Exchanges>,
    /// For a loss that compares the samples of a batch with each other.
    pub(super) whole_batch: WholeBatch<T, Y>,
    /// The members of the group, while they train or evaluate.
    pub(super) members: Option<Arc<Members>>,
    pub(super) of_group: OfGroup,
    pub(super) group_sum: GroupSum<T>,
    /// A shard for passes aside, where the others are those of the members of a group.
    pub(super) aside: Vec<Shard<T, Y>>,
    /// What members tell each other instead of sums, where each has a part.
    pub(super) operands: Gathered<T>,
    /// The memory for the parameters while they are in that which processes share; otherwise empty.
    pub(super) unshared: Buffer<T>,
    /// What is left of that.
    pub(super) shared_memory: Option<SharedMemory>,
    /// Whether the training has ended with an error, of which callbacks are told.
    pub(super) has_ended: bool,
}

impl<T: Real, Y> State<T, Y> {
    /// That of a training which has not begun, for an optimizer with so many numbers of the whole training.
    pub(super) fn new(buckets: Buckets, numbers: usize) -> Self {
        Self {
            shards: Vec::new(),
            split_k: None,
            used: UsedColumns::default(),
            optimizer_state: Buffer::default(),
            part: None,
            parts: None,
            gathered: None,
            numbers: vec![0.0; numbers],
            total: Buffer::default(),
            factors: SecondMoments::default(),
            scratch: Vec::new(),
            buckets,
            range: RangeProof::default(),
            copies: Copies::default(),
            largest_grad: 0.0,
            skipped: 0,
            skipped_in_a_row: 0,
            averaged: Buffer::default(),
            step: 0,
            run: Run::default(),
            plateau: Plateau::default(),
            epoch: 0,
            position: EpochPosition::default(),
            epoch_weight: 0.0,
            entered: None,
            tallies: Tallies::default(),
            history: Vec::new(),
            requests: Requests::default(),
            restored: Vec::new(),
            carried: Vec::new(),
            more_shards: Vec::new(),
            trained: TrainedSamples::default(),
            threads: 1,
            rows: 0,
            is_finite_in_evaluation: false,
            has_sparse_samples: false,
            exchanges: None,
            whole_batch: WholeBatch::default(),
            members: None,
            of_group: OfGroup::default(),
            group_sum: GroupSum::default(),
            aside: Vec::new(),
            operands: Gathered::of_stages(Vec::new(), 0, 0),
            unshared: Buffer::default(),
            shared_memory: None,
            has_ended: false,
        }
    }

    /// That in which a pass was run that is no part of the training.
    pub(super) fn shard_aside(&self) -> Option<&Shard<T, Y>> {
        self.aside.first().or(self.shards.first())
    }

    /// Whether the optimizer's state of all parameters is here.
    pub(super) fn has_whole_state(&self) -> bool {
        self.part.is_none() && self.optimizer_state.len() >= self.buckets.state_len()
    }

    /// The next step.
    pub(super) fn at(&self) -> Step {
        Step { index: self.step, run: self.run }
    }
}
