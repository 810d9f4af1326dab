//! One training step: from the indices of a batch to updated parameters.
//!
//! The network 784 → 64 → 64 → 10, a batch of 32 in two shards, on two threads. Time runs down, each thread in its column;
//! the file that does the work is on the right. Everything is written to memory that is kept from step to step, so a steady
//! step allocates nothing.
//!
//! ```text
//!                            thread 0                         thread 1
//!
//!  samples of the batch      [ 31, 4, 59, 26, ... ]           indices, shuffled for each epoch     trainer/mod.rs
//!                                                                                                  pass.rs
//!  ══ fork ══════════════════════════════════════════════════════════════════════════════════════  pool.rs
//!  gather: read and          X₀: columns 0..384               X₁: columns 384..784                 split_k.rs
//!    convert all samples       of all 32 samples                of all 32 samples
//!  first product, split-K    Z₀ = X₀ W₀                       Z₁ = X₁ W₁
//!                              (W₀: rows 0..384 of W)           (W₁: rows 384..784)
//!  ══ join, fork ════════════════════════════════════════════════════════════════════════════════  pool.rs
//!  each shard: some rows     shard 0: rows 0..16              shard 1: rows 16..32                 shard.rs
//!    sum of the blocks       Z = Z₀ + Z₁                      Z = Z₀ + Z₁                          split_k.rs
//!    forward                 Z → A → Z₂ → A₂ → y              Z → A → Z₂ → A₂ → y                  shard.rs
//!    loss                    J += 1/m Σ L(y, t), dy           J += 1/m Σ L(y, t), dy
//!    backward                dy → dZ₂ → dZ                    dy → dZ₂ → dZ
//!                            biases: db into shard.grads      biases: db into shard.grads
//!                            weights: dW = Xᵀ dZ is deferred, X and dZ stay where they are
//!  ══ join, fork ════════════════════════════════════════════════════════════════════════════════  pool.rs
//!  for each bucket           rows of W₀, half of the rest     rows of W₁, the other half           reduce.rs
//!    (a contiguous range of the parameters, small enough for a core's cache)                       buckets/
//!    prefetch                some samples of the next batch   (the columns this thread will read)  prefetch.rs
//!    sum, shard by shard     g = X[0..16]ᵀ dZ[0..16] + X[16..32]ᵀ dZ[16..32]    (weights)          reduce.rs
//!                            g = shard 0's grads + shard 1's grads              (all others)
//!                            g = row by row, for the rows that were used        (tables)           sparse.rs
//!    update                  p, state = optimizer(p, g, state)                                     update.rs
//!  ══ join ══════════════════════════════════════════════════════════════════════════════════════  pool.rs
//!  updated parameters; the samples of the next batch are already in the caches
//! ```
//!
//! What the picture leaves out:
//!
//! - **Some losses need the whole batch**: the sum of the weights of its rows, or all of its outputs. Then there is one more
//!   join and fork, between the shards' forward and backward passes ([`whole_batch`]).
//! - **The first product is not always split.** That pays where the first layer is dense and wide, and the batch small; then
//!   a thread keeps its rows of W in its own cache from step to step. Otherwise there is no first fork, and each shard gathers
//!   whole samples for its own rows.
//! - **Products are not always deferred.** Where a shard has so many rows that its samples are more values than twice the parameters, it
//!   computes its products in its backward pass, while it has the samples in its cache.
//! - **Columns of zeros are left out.** Where the network begins with a dense layer, the first product and its gradient have only the
//!   columns that are not 0 in the whole batch, which are found once it is gathered. That changes no bit.
//! - **Samples may be stored without their zeros.** Where the first layer is dense, each shard then gathers the values that are stored,
//!   multiplies them alone, and lists the terms of the gradient of that weight by the rows that they belong to, as a table does.
//! - **The sum and the update are one loop** ([`Phase::Fused`](reduce::Phase)) unless the optimizer needs all gradients at
//!   once, as clipping by the global norm does. Then the loop runs twice, once to reduce, once to update, and the optimizer's
//!   `transform_all` runs between; it may ask for the passes of the batch again, at other parameters. An optimizer that needs whole
//!   parameters is updated in buckets that are one each.
//! - **Some optimizers need more than gradients**: the [`factors`] of products. They are computed after the gradients, from the same X
//!   and dZ, and there is no split-K, of which a shard would not have its X.
//! - **A batch may take several passes** ([`several_passes`]), one after the other, whose gradients are added up before the update.
//! - **A step that is not finite is not taken.** The loss is checked before the last fork. That all gradients and all updated
//!   numbers will be finite is proved from a few bounds ([`range`]), which each shard states at the end of its pass. Where they
//!   prove nothing, the step is taken [carefully](careful): every number is looked at, and a step that fails is undone.
//! - **Batch normalisation is over the batch.** Its layers sum over all shards in the middle of their passes
//!   ([`exchange`]), so that all shards are under way at once, each on a thread of its own.
//! - **The number of threads is no part of the result.** The number of shards is fixed, and every sum adds shards in their
//!   order. A thread runs whole shards and whole buckets, whichever they are. Where there are many parameters, threads without a shard
//!   have buckets too.
//! - **The threads do not sleep between forks.** While a training runs, the pool's other threads spin, since waking one would
//!   take as long as a step.
//! - **Several processes may share the shards of a batch** ([`members`]). Each runs some of them, all tell each other their losses, and the
//!   sums of the gradients travel from one to the next ([`group_sum`]), so that every process takes the same step. Where there are many
//!   parameters, each keeps the optimizer's state for a [part](parts) of them, updates that, and sends it to the others ([`divided`]); of
//!   products they may tell each other X and dZ instead of sums ([`gathered`]).
//! - **An evaluation** is the gather and the forward pass alone, without a split. It has parts of its own, which depend neither on the
//!   shards nor on the threads.
//!
//! Start reading at [`trainer/step.rs`](crate::trainer), which calls all of this. The files import each other only
//! downward: `divided` over `parts` and `group_sum`, that over `reduce`, `reduce` also over `gathered`, this over `sparse`, `split_k` and `shard`, as `factors` is over `shard`, these over `buckets`, `careful`, `pool`, `prefetch`, `update`,
//! `range` and `pass`.

pub(crate) mod buckets;
pub(crate) mod careful;
pub(crate) mod divided;
pub(crate) mod exchange;
pub(crate) mod factors;
pub(crate) mod gathered;
pub(crate) mod group_sum;
pub(crate) mod members;
pub(crate) mod parts;
pub(crate) mod pass;
pub(crate) mod pool;
pub(crate) mod prefetch;
pub(crate) mod range;
pub(crate) mod reduce;
pub(crate) mod several_passes;
pub(crate) mod shard;
pub(crate) mod sparse;
pub(crate) mod split_k;
pub(crate) mod update;
pub(crate) mod whole_batch;
