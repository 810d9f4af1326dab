//! Those who work on the same batch.
//!
//! A trainer cuts a batch into shards and runs a pass for each, on several threads. A layer that needs a statistic of the whole
//! batch, as batch normalisation does, adds up its sums over all of them, in the middle of its passes, with [`sum`].
//!
//! Who else works on the batch is a property of the thread that runs a pass, not an argument of it: a pass runs on one thread
//! from beginning to end, and a layer that contains others, and forgot to hand an argument on, would silently make them
//! normalise a shard. Where [`enter`] has not been called, a pass is alone with its batch.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;

/// A member of a group whose members work on the same batch. It is transport only: what is summed up is the layers' business.
pub trait BatchGroup: Debug + Send + Sync {
    /// The position of this member in the batch, from 0.
    fn rank(&self) -> usize;

    /// The number of members.
    fn size(&self) -> usize;

    /// Replaces the values by their sums over all members, added in the order of their ranks. It waits until all have called it,
    /// each with as many values, and allocates nothing once it has been called with that many.
    fn sum(&self, values: &mut [f64]);
}

thread_local! {
    static GROUP: RefCell<Option<Arc<dyn BatchGroup>>> = const { RefCell::new(None) };
}

/// Makes the calling thread a member of this group until the result is dropped: for those who run passes.
#[must_use]
pub fn enter(member: Arc<dyn BatchGroup>) -> Membership {
    Membership { before: GROUP.with(|group| group.replace(Some(member))) }
}

/// A thread's membership of a group, which ends when this is dropped.
#[derive(Debug)]
pub struct Membership {
    before: Option<Arc<dyn BatchGroup>>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        GROUP.with(|group| group.replace(self.before.take()));
    }
}

/// Whether the pass on this thread has its batch to itself, so that there is nothing to add up.
pub fn is_alone() -> bool {
    GROUP.with(|group| group.borrow().as_ref().is_none_or(|member| member.size() == 1))
}

/// Replaces the values by their sums over all passes of the batch; where there is only one, they stay as they are.
///
/// All passes of a batch must call it equally often, with equally many values: in `forward` and `backward` only, and whatever the
/// values of the samples are. A layer that calls it says so in its plan: [`Plan::sums_over_batch`](crate::Plan::sums_over_batch).
pub fn sum(values: &mut [f64]) {
    let member = GROUP.with(|group| group.borrow().clone());
    if let Some(member) = member {
        member.sum(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if each of the others had the same values.
    #[derive(Debug)]
    struct Copies(usize);

    impl BatchGroup for Copies {
        fn rank(&self) -> usize {
            0
        }

        fn size(&self) -> usize {
            self.0
        }

        fn sum(&self, values: &mut [f64]) {
            values.iter_mut().for_each(|value| *value *= self.0 as f64);
        }
    }

    #[test]
    fn a_membership_ends_where_it_is_dropped() {
        let summed = || {
            let mut values = [1.0, 2.0];
            sum(&mut values);
            values
        };
        assert_eq!(summed(), [1.0, 2.0]);
        assert!(is_alone());
        {
            let _three = enter(Arc::new(Copies(3)));
            assert!(!is_alone());
            assert_eq!(summed(), [3.0, 6.0]);
            {
                let _two = enter(Arc::new(Copies(2)));
                assert_eq!(summed(), [2.0, 4.0]);
            }
            assert_eq!(summed(), [3.0, 6.0]);
            assert_eq!(std::thread::scope(|scope| scope.spawn(summed).join().unwrap()), [1.0, 2.0]);
        }
        assert_eq!(summed(), [1.0, 2.0]);
    }
}
