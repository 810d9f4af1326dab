//! Into how many shards a batch is cut unless it is set.
//!
//! The number is part of the result, so it comes from the model and the batch alone, never from the machine: a training has the same
//! bits on 2 and on 16 cores. More shards let more threads work. But each shard reads all parameters once, and the fewer rows it has,
//! the less it does with them.

use chainrule_core::Plan;

/// Below this number of floating-point operations, a step takes less time than handing part of it to another thread (2
/// million take about 20 microseconds).
pub(super) const WORTH_A_FORK: u64 = 2_000_000;

/// A batch is cut into no more shards by default.
const MOST: u64 = 16;

/// For so many gradients memory may be reserved beside those of two shards.
const RESERVED: u64 = 1 << 26;

/// How many times a shard uses each of its parameters, at least. With half as many rows to a shard, a dense network of 512 units took
/// 1.08 times as long on one thread, one of 64 units 1.03 times, beside two shards of 64 rows (AMD EPYC, Zen 5).
const USES: u64 = 64;

/// The minimum number of rows of a shard, however often a row uses a parameter. With 8 rows to a shard, LSTM took 1.3 times as long on
/// one thread, LeNet 1.09 times; with 16, 1.02 and 1.03 times. With batch normalisation, a residual network of 16 rows to a shard took 1.1
/// times as long on one thread as in one shard.
const ROWS: u64 = 16;

/// The floating-point operations of the products of one step over `rows` samples.
pub(super) fn step_flops(plan: &Plan, rows: u64) -> u64 {
    plan.total_flops().saturating_mul(3).saturating_mul(rows)
}

/// The default number of shards of a batch of `rows` samples, where gradients of tables are `lists` or not.
pub(super) fn default_count(plan: &Plan, rows: usize, lists: bool) -> usize {
    let rows = rows as u64;
    let parameters = (plan.size() as u64).max(1);
    let flops = plan.total_flops();
    let of_step = step_flops(plan, rows);
    if of_step < WORTH_A_FORK {
        return 1;
    }
    // A row multiplies and adds with each parameter so many times; once in a dense layer.
    let uses_of_row = (flops / (2 * parameters)).max(1);
    // Shards that wait for each other in the middle of a pass cost more where there are fewer threads than shards.
    let min_rows = if plan.has_sums_over_batch() { 2 * ROWS } else { ROWS };
    let by_rows = rows / (USES / uses_of_row).max(min_rows);
    let by_work = of_step / WORTH_A_FORK;
    // Each shard has gradients of its own: those beyond two take no more memory than the activations. Those of products are only
    // reserved, unless shards compute them, which then have more samples.
    let written = plan.entries().iter().filter(|entry| !(entry.product || entry.table && lists));
    let written = written.map(|entry| entry.range.len() as u64).sum::<u64>().max(1);
    let by_memory = 2 + rows.saturating_mul(plan.total_memory()) / written;
    let by_reserved = 2 + RESERVED / parameters;
    let limits = [by_work, by_memory, by_reserved, MOST];
    let count = limits.into_iter().fold(by_rows, u64::min).max(2);
    // A power of two, so that 2, 4 and 8 threads have equally many.
    1 << count.ilog2()
}

#[cfg(test)]
mod tests {
    use chainrule_core::Sequential;
    use chainrule_layers::{BatchNorm, Conv2d, Dense, Flatten, Lstm, Relu};
    use chainrule_tensor::Seed;

    use super::*;
    use crate::Model;

    fn count<const N: usize>(shape: [usize; N], layers: Sequential<f32>, rows: usize) -> usize {
        default_count(Model::new(shape, layers, Seed(0)).unwrap().plan(), rows, true)
    }

    #[test]
    fn small_steps_are_not_cut_and_large_ones_only_as_far_as_pays() {
        let dense = |units| Sequential::new().then(Dense::new(units)).then(Relu).then(Dense::new(10));
        assert_eq!(count([8], dense(8), 32), 1);
        // Each row uses a parameter once.
        for (rows, shards) in [(1, 2), (32, 2), (128, 2), (255, 2), (256, 4), (512, 8), (1000, 8), (4096, 16)]
        {
            assert_eq!(count([784], dense(1024), rows), shards, "{rows} rows");
        }
        // Too little work for more.
        assert_eq!(count([8], dense(8), 16_384), 4);
        // Each row uses a kernel 28 · 28 times.
        let convolution = || Sequential::new().then(Conv2d::new(8, [3, 3])).then(Relu).then(Flatten);
        for (rows, shards) in [(32, 2), (64, 4), (128, 8), (1024, 16)] {
            assert_eq!(count([1, 30, 30], convolution(), rows), shards, "{rows} rows");
        }
        let normalised =
            || Sequential::new().then(Conv2d::new(8, [3, 3])).then(BatchNorm::new()).then(Flatten);
        for (rows, shards) in [(64, 2), (128, 4), (1024, 16)] {
            assert_eq!(count([1, 30, 30], normalised(), rows), shards, "{rows} rows");
        }
        // The gradients of 10⁸ parameters would take more memory than all else.
        assert_eq!(count([10_000], Sequential::new().then(Dense::new(10_000)), 1024), 2);
        let one_step = Sequential::new().then(Lstm::new(512)).then(Flatten);
        assert_eq!(count([1, 512], one_step, 256), 2);
    }
}
