//! What processes that train together send, before they do.

use chainrule_losses::Scope;
use chainrule_tensor::Real;

use super::Trainer;
use super::divided::stages_of_parts;
use crate::engine::buckets::{Bucket, range_of, runs};
use crate::engine::gathered::Gathered;
use crate::engine::members::Division;
use crate::engine::parts::Parts;

/// What members say of their callbacks at the end of a step, in bytes.
const REQUESTS: usize = 1;

/// What a member of a [`Group`](crate::Group) sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The number of messages.
    pub messages: u64,
    /// Their bytes, without those that a transport adds.
    pub bytes: u64,
}

impl Traffic {
    /// So many messages with this many bytes in all.
    fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
    }
}

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// What each of so many processes would send in a step over a whole batch, if they shared this training: see
    /// [`group`](Self::group). With P bytes of parameters, a process sends its sums to the next one, and the sums of all or the updated
    /// parameters, at most 2 P together, and what grows with the batch but not with the network; instead of sums also the operands of products
    /// with few rows, which are less.
    ///
    /// Not in it is what depends on the samples, the values of a batch or on how a layer computes: that the first product travels as sums where
    /// samples are stored without their zeros, the gradients of tables that are lists, and the sums of
    /// batch normalisation over the batch.
    ///
    /// Empty for no process.
    pub fn traffic(&self, processes: usize) -> Vec<Traffic> {
        let division = Division { size: processes, shards: self.shard_count() };
        let parts = Parts::new(&self.state.buckets, &*self.optimizer, processes);
        (0..processes).map(|rank| self.traffic_of(rank, division, parts.as_ref())).collect()
    }

    fn traffic_of(&self, rank: usize, division: Division, parts: Option<&Parts>) -> Traffic {
        let (last, others) = (division.size - 1, division.size - 1);
        let mut sent = Traffic::default();
        sent.add(others, others * REQUESTS);
        let rows_of_pass = self.batch_size.div_ceil(self.accumulate.max(1)).max(1);
        let passes = self.batch_size.div_ceil(rows_of_pass);
        let buckets = &self.state.buckets;
        // Shards of many rows have computed their products.
        let stages = match self.are_in_shards(rows_of_pass, division.shards) {
            true => Vec::new(),
            false => stages_of_parts(parts, buckets, rows_of_pass),
        };
        let operands = Gathered::<T>::of_stages(stages, 0, buckets.run_len());
        let of = |runs: &mut dyn Iterator<Item = &[Bucket]>| {
            runs.fold((0, 0), |(sums, bytes), run| (sums + 1, bytes + size_of::<T>() * range_of(run).len()))
        };
        let of_rank = |rank| {
            let part = parts.map_or(&[][..], |parts| parts.of(rank, buckets));
            [of(&mut operands.travelling(part)), of(&mut operands.computed(part))]
        };
        let add = |(a, b): (usize, usize), (c, d)| (a + c, b + d);
        let (sums, bytes) = match parts {
            None => of(&mut runs(buckets.fixed(), buckets.run_len())),
            Some(_) => (0..division.size).map(|rank| of_rank(rank)[0]).fold((0, 0), add),
        };
        let [(own_sums, own_bytes), computed] = of_rank(rank);
        for pass in 0..passes {
            let rows = rows_of_pass.min(self.batch_size - pass * rows_of_pass);
            let own = division.rows_of(rank, rows).len();
            let shards = division.shards_of(rank).len();
            // With what callbacks have asked for at its begin.
            sent.add(others, others * size_of::<f64>() * (1 + shards + own));
            if self.loss.scope() != Scope::Row {
                sent.add(others, others * size_of::<f64>() * own);
            }
            if operands.columns() > 0 {
                sent.add(others, others * own * operands.columns() * size_of::<T>());
            }
            if rank >= division.first_with_rows(rows) && rank < last {
                sent.add(sums, bytes);
            }
            if parts.is_some() {
                // The last one sends the sums to those that have the other parts.
                if rank == last {
                    sent.add(sums - own_sums, bytes - own_bytes);
                }
                continue;
            }
            // The last one sends the sums round; the one before it has no one left to send them to.
            let next = if rank == last { 0 } else { rank + 1 };
            if next < last {
                sent.add(sums, bytes);
            }
        }
        // Each sends the parameters of its part to all others.
        let (updated, of_updated) = add((own_sums, own_bytes), computed);
        sent.add(others * updated, others * of_updated);
        sent
    }
}
