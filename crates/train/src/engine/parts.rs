//! Which member of a group keeps the optimizer's state of which parameters, and updates them (Rajbhandari et al. 2020, ZeRO, stage 1).
//!
//! Each has contiguous buckets. The last member, which completes all sums, always has some, since those need no further way. A part has at
//! least some parameters, so that messages do not get short: of a small network not all members have one, and of a very small one none.

use std::ops::Range;

use chainrule_optim::UpdateRule;
use chainrule_tensor::Real;

use super::buckets::{Bucket, Buckets};

/// How many parameters a part has at least, about.
pub(crate) const LEAST: usize = 1 << 16;

/// The buckets of each member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    of_members: Vec<Range<usize>>,
}

impl Parts {
    /// The parts of so many members; `None` where each keeps the whole state.
    ///
    /// That is so where there is no state, and where a part is no use: for an optimizer that needs all gradients at once, and one whose
    /// state is evaluated in place of the parameters. A step changes few rows of tables that are lists, so their updates are short.
    pub(crate) fn new<T: Real>(
        buckets: &Buckets,
        optimizer: &dyn UpdateRule<T>,
        members: usize,
    ) -> Option<Self> {
        let needs_whole = optimizer.needs_all_gradients() || optimizer.averages() || buckets.has_lists();
        let fixed = buckets.fixed();
        let len = fixed.last()?.end;
        let owners = members.min(len / LEAST);
        if needs_whole || optimizer.slots() == 0 || owners < 2 {
            return None;
        }
        let end_of = |owner: usize| fixed.partition_point(|bucket| bucket.end <= len / owners * owner);
        let mut of_members = vec![0..0; members - owners];
        of_members.extend(
            (0..owners).map(|owner| {
                end_of(owner)..if owner + 1 == owners { fixed.len() } else { end_of(owner + 1) }
            }),
        );
        Some(Self { of_members })
    }

    /// Whether each member has one.
    pub(crate) fn of_all(&self) -> bool {
        self.of_members.iter().all(|buckets| !buckets.is_empty())
    }

    /// The buckets of a member.
    pub(crate) fn of<'a>(&self, rank: usize, buckets: &'a Buckets) -> &'a [Bucket] {
        &buckets.fixed()[self.of_members[rank].clone()]
    }
}

/// A member's part of the optimizer's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its range in the state of all parameters.
    pub(crate) state: Range<usize>,
}

impl Part {
    /// The part that belongs to these buckets, with so many values of state for each parameter.
    pub(crate) fn of(buckets: &[Bucket], slots: usize) -> Self {
        let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Self::default() };
        Self { state: first.state..last.state + slots * (last.end - last.start) }
    }
}
