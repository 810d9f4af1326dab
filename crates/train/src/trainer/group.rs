//! Training together with other processes.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use chainrule_data::Samples;
use chainrule_losses::Scope;
use chainrule_tensor::simd;
use chainrule_tensor::{Real, blas, each_root};
use sha2::{Digest, Sha256};

use super::error::TrainError;
use super::place::Place;
use super::reserve::reserve;
use super::tallies::Tallies;
use super::warning::TrainWarning;
use super::wishes::Wishes;
use super::{State, Trainer};
use crate::engine::members::{Division, Kind, Members};
use crate::group::{Difference, Group, GroupError};
use crate::model::encoding::{decode, encode};
use crate::numbers;

/// How many samples of a data set members compare before they train on it.
const COMPARED: usize = 64;

/// A hash of square and cube roots as updates compute them: where they are estimated, the last bits are those of the CPU's maker.
fn estimated_roots() -> String {
    let x: Vec<f32> = (0..4096_u16).map(|index| 1.0 + f32::from(index) * (7.0 / 4096.0)).collect();
    let [mut square, mut cube] = [vec![0.0; x.len()], vec![0.0; x.len()]];
    each_root!([square, cube] = |x;| [x.sqrt(), x.cbrt()]);
    let mut hash = Sha256::new();
    hash.update(numbers::bytes(&square));
    hash.update(numbers::bytes(&cube));
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Trains together with other processes, each with a trainer that has the same settings, model and data: the shards of each batch are
    /// divided among them, and every process has all parameters, with the bits of one process.
    ///
    /// Each process calls the same functions of its trainer, in the same order: [`fit`](Self::fit) and [`evaluate`](Self::evaluate) wait
    /// for the others. The data set is that of all, but only the samples of the own shards are read, and a few to compare. Before a
    /// training or an evaluation the processes compare their settings, parameters, some samples, and what computes their products, and
    /// refuse to begin if they differ.
    ///
    /// When a callback of one process stops the training, all stop. Callbacks that go back to other weights have to be the same in all;
    /// others, such as those that print and write checkpoints, may be in one alone. At the end of an epoch, in an evaluation and in a
    /// checkpoint, metrics are over all rows; those that callbacks see in the middle of an epoch are over the rows that this process knows
    /// of. The samples of a validation are not compared with those of the training, so there is no
    /// [warning](super::TrainWarning::SeenSamples) if they are the same.
    ///
    /// The result is that of [`distributable`](Self::distributable) in one process. Of more processes than [`shards`](Self::shards) some have no
    /// rows, with a [warning](super::TrainWarning::IdleProcesses): they only update their part of the parameters, if they have one. In a
    /// step a process sends about twice the bytes of the parameters. Of a large network each keeps the optimizer's state of its part of the
    /// parameters alone ([`optimizer_bytes`](Self::optimizer_bytes)): a checkpoint is then made for a callback that asks for it or, after
    /// the training, by all together ([`checkpoint_together`](Self::checkpoint_together)), not by [`save`](Self::save) in one of them.
    ///
    /// Not supported, and refused before the first step: optimizers that need factors of products or evaluate a batch again, losses that
    /// compare the samples of a batch with each other, models that carry states from batch to batch, the audit, and
    /// [`measure_step`](Self::measure_step). After an error the processes have lost step, and the group is of no more use;
    /// where each has a part of the optimizer's state, the model is of no more use either: go on from a checkpoint.
    #[must_use]
    pub fn group(mut self, group: impl Group + 'static) -> Self {
        self.state.shards.clear();
        self.place = Some(Place { group: Arc::new(group), is_over: false });
        self
    }

    /// Whether a training of one process has the bits of one whose shards are divided among several: products are then computed and summed shard by
    /// shard, which takes up to a tenth more time, most of it in small networks on one thread. `false` by default; with a [`group`](Self::group) it is
    /// always so.
    ///
    /// A checkpoint does not hold it; after [`resume`](super::Trainer::resume) it is to be chosen again.
    #[must_use]
    pub fn distributable(self, distributable: bool) -> Self {
        Self { distributable, ..self }
    }

    /// Whether this process prints warnings: the first of a group does.
    pub(super) fn speaks(&self) -> bool {
        self.place.as_ref().is_none_or(|place| place.group.rank() == 0)
    }

    /// Whether sums have an order in which several processes can compute them.
    pub(super) fn is_distributable(&self) -> bool {
        self.distributable || self.place.is_some()
    }

    /// Runs something that all members of the group run, if there is one. An error is told to the others.
    pub(super) fn in_group<R>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<R, TrainError>,
    ) -> Result<R, TrainError> {
        let Some(Place { group, is_over }) = &self.place else { return work(self) };
        if *is_over {
            return Err(GroupError::Over.into());
        }
        let members = Arc::new(Members::new(Arc::clone(group), self.shard_count()));
        // Where a callback has panicked, they still are.
        self.unshare_memory();
        self.state.members = Some(Arc::clone(&members));
        // What was asked for in a step that has failed is no one's wish any more.
        self.state.of_group.own_wishes = Wishes::default();
        let result = self.check_group().map_err(TrainError::from).and_then(|()| work(self));
        self.unshare_memory();
        self.state.aside.clear();
        self.state.members = None;
        if let Err(error) = &result {
            members.fail(error);
            if let Some(place) = &mut self.place {
                place.is_over = true;
            }
        }
        result
    }

    /// Refuses what a group does not support.
    fn check_group(&self) -> Result<(), GroupError> {
        let optimizer = "choose another optimizer, or train in one process";
        let (what, instead) = if self.optimizer.needs_factors() {
            ("optimizers that need the factors of products", optimizer)
        } else if self.optimizer.evaluates_again() {
            ("optimizers that evaluate a batch more than once", optimizer)
        } else if self.loss.scope() == Scope::Batch {
            (
                "losses that compare the samples of a batch with each other",
                "choose another loss, or train in one process",
            )
        } else if self.model.plan().is_stateful() {
            ("models that carry states from batch to batch", "train in one process")
        } else if self.auditor.is_some() {
            ("the audit", "leave it out, and audit a training of one process")
        } else {
            return Ok(());
        };
        Err(GroupError::Unsupported { what, instead })
    }

    /// Warns if there are more members than shards.
    pub(super) fn warn_if_idle(&mut self) {
        let (processes, shards) =
            (self.state.members.as_ref().map_or(1, |members| members.size()), self.shard_count());
        if processes > shards {
            self.warn(TrainWarning::IdleProcesses { processes, shards });
        }
    }

    /// Refuses what works only in one process.
    pub(super) fn refuse_group(&self, what: &'static str) -> Result<(), GroupError> {
        match self.place {
            Some(_) => Err(GroupError::Unsupported { what, instead: "do that in one process" }),
            None => Ok(()),
        }
    }

    /// Compares what the members are about to do; an error if they would not do one thing together.
    pub(super) fn compare_members(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        purpose: impl FnOnce() -> String,
    ) -> Result<(), TrainError> {
        let Some(members) = self.state.members.clone() else { return Ok(()) };
        let own = self.properties(data, purpose());
        let mut all: Vec<Vec<(String, String)>> = Vec::new();
        members.all_gather(Kind::Properties, &encode(&own), &mut |_, bytes| {
            all.push(decode(bytes).ok()?);
            Some(())
        })?;
        let differences = differences(&all);
        if !differences.is_empty() {
            return Err(GroupError::Differ(differences).into());
        }
        Ok(())
    }

    /// All that the result depends on, by name.
    fn properties(&self, data: &dyn Samples<T, Target = Y>, purpose: String) -> Vec<(String, String)> {
        let State { step, epoch, position, .. } = &self.state;
        let mut row = vec![T::zero(); data.shape().size()];
        let mut hash = Sha256::new();
        let compared = data.len().min(COMPARED);
        for index in 0..compared {
            data.read(index * data.len() / compared, &mut row);
            hash.update(numbers::bytes(&row));
        }
        let samples: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let [instructions, roots, library] = match self.portable {
            true => ["any".to_owned(), "any".to_owned(), "portable products".to_owned()],
            false => [simd::level().name().to_owned(), estimated_roots(), blas::Blas::current().to_string()],
        };
        let property = |name: &str, value: String| (name.to_owned(), value);
        vec![
            property("version", env!("CARGO_PKG_VERSION").to_owned()),
            property("purpose", purpose),
            property("products", library),
            property("instructions", instructions),
            property("roots", roots),
            property("seed", self.seed.0.to_string()),
            property("batch size", self.batch_size.to_string()),
            property("passes of a batch", self.accumulate.to_string()),
            property("shards", self.shard_count().to_string()),
            property("shuffle", self.shuffle.to_string()),
            property("skipped steps", self.skip_nonfinite.to_string()),
            property("loss and optimizer", self.setup()),
            property(
                "metrics",
                self.metrics.iter().map(|metric| format!("{} ", metric.description())).collect(),
            ),
            property("layers", format!("{:?}", self.model.layers())),
            property("parameters", self.model.parameters_sha256()),
            property("steps done", format!("{step} in {epoch} epochs and {} samples", position.samples)),
            property("data", format!("{} samples, {samples}", data.len())),
        ]
    }

    /// Tells the others what callbacks of this member have asked for, and gets ready for what those of any have. With whether any of them
    /// saves something.
    pub(super) fn agree(&mut self, wishes: Wishes) -> Result<(ControlFlow<()>, bool), TrainError> {
        let Some(members) = self.state.members.clone() else {
            return Ok((flow_of(wishes.stop), wishes.save));
        };
        let mut all = Vec::new();
        members.all_gather(Kind::Requests, &[wishes.number()], &mut |_, message| {
            let &[number] = message else { return None };
            all.push(Wishes::of(number)?);
            Some(())
        })?;
        Ok((self.get_ready(&members, &all)?, all.iter().any(|wishes| wishes.save)))
    }

    /// Waits until all members are here, where some save something: what they save may be in memory that all of a machine use, and the others go on
    /// to change it.
    pub(super) fn wait_for_saving(&self, any_saves: bool) -> Result<(), GroupError> {
        match &self.state.members {
            Some(members) if any_saves => {
                members.all_gather(Kind::Requests, &[], &mut |_, message| message.is_empty().then_some(()))
            }
            _ => Ok(()),
        }
    }

    /// Gets ready for what callbacks of any member have asked for.
    pub(super) fn get_ready(
        &mut self,
        members: &Members,
        all: &[Wishes],
    ) -> Result<ControlFlow<()>, TrainError> {
        let restore = all[members.rank()].restore;
        if let Some(rank) = all.iter().position(|wishes| wishes.restore != restore) {
            let [expected, found] = match restore {
                true => ["going back to other weights", "going on"],
                false => ["going on", "going back to other weights"],
            };
            return Err(GroupError::OutOfStep { rank, expected, found }.into());
        }
        let asking: Vec<usize> = (0..all.len()).filter(|&rank| all[rank].save).collect();
        if !asking.is_empty() {
            self.share_counts()?;
            self.gather_state(&asking)?;
        }
        Ok(flow_of(all.iter().any(|wishes| wishes.stop)))
    }

    /// Takes over what the metrics have counted in the shards of other members in this epoch.
    pub(super) fn share_counts(&mut self) -> Result<(), TrainError> {
        let State { members, tallies, .. } = &mut self.state;
        match members {
            Some(members) => share(members, tallies),
            None => Ok(()),
        }
    }

    /// Allocates what the sum of a group is computed in.
    pub(super) fn make_group_sum(&mut self) -> Result<(), TrainError> {
        if self.state.members.is_none() || self.accumulate < 2 {
            return Ok(());
        }
        let what = "the gradients of one of the passes of a batch";
        reserve(&mut self.state.group_sum.pass, self.model.parameters().len(), 1, what)
    }

    /// The shards of a batch that a process runs, if so many share this training: see [`group`](Self::group).
    pub fn shards_of(&self, rank: usize, processes: usize) -> Range<usize> {
        Division { size: processes.max(1), shards: self.shard_count() }.shards_of(rank)
    }

    /// The shards that this process runs.
    pub(super) fn own_shards(&self, count: usize) -> Range<usize> {
        self.state.members.as_ref().map_or(0..count, |members| members.own())
    }
}

/// Takes over what tallies have counted in the shards of other members.
pub(super) fn share<T: Real, Y: Send + Sync>(
    members: &Members,
    tallies: &mut Tallies<T, Y>,
) -> Result<(), TrainError> {
    let own: Vec<Vec<f64>> = tallies.numbers_of(members.own());
    members.all_gather(Kind::Counts, &encode(&own), &mut |rank, bytes| {
        if rank == members.rank() {
            return Some(());
        }
        tallies.replace(members.shards_of(rank), &decode::<Vec<Vec<f64>>>(bytes).ok()?)
    })?;
    tallies.are_shared();
    Ok(())
}

fn flow_of(stop: bool) -> ControlFlow<()> {
    if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// In what the other members differ from the first.
fn differences(all: &[Vec<(String, String)>]) -> Vec<Difference> {
    let Some((first, others)) = all.split_first() else { return Vec::new() };
    let value = |properties: &[(String, String)], name: &str| {
        let found = properties.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut found = Vec::new();
    for (other, rank) in others.iter().zip(1..) {
        let is_new = |(name, _): &&(String, String)| first.iter().all(|(known, _)| known != name);
        for (name, _) in first.iter().chain(other.iter().filter(is_new)) {
            let [first, other] = [value(first, name), value(other, name)];
            if first != other {
                found.push(Difference { property: name.clone(), first, rank, other });
            }
        }
    }
    found
}
