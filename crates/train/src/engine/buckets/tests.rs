//! What is cut into which buckets, and in which order their state is kept.

use super::*;
use std::sync::Arc;

use chainrule_core::{Layer, Residual, Sequential};
use chainrule_layers::Dense;

#[test]
fn buckets_cover_everything_once() {
    let mut plan = Plan::new();
    let init = Arc::new(chainrule_core::Constant(0.0)) as _;
    plan.weight("a", [MAX_LEN, 2], (1, 1), &init).unwrap();
    plan.weight("b", [100], (1, 1), &init).unwrap();
    plan.bias("c", [10], (1, 1), &init).unwrap();
    plan.buffer("d", [5], 0.0).unwrap();
    let buckets = cut(&plan, &SequentialCache::<f32>::default(), true, Sharing::Kind);
    let lengths: Vec<_> = buckets.iter().map(|bucket| (bucket.end - bucket.start, bucket.kind)).collect();
    // 16 buckets and what is left, which begins on a cache line.
    let mut right = vec![(MAX_LEN / 8, ParamKind::Weight); 16];
    right.extend([(100, ParamKind::Weight), (10, ParamKind::Bias), (5, ParamKind::Buffer)]);
    assert_eq!(lengths, right);
    assert!(buckets.windows(2).all(|pair| pair[0].end == pair[1].start));
}

#[test]
fn files_have_the_state_in_the_order_of_the_parameters() {
    use chainrule_layers::{Embedding, Flatten};

    let layers = Sequential::new().then(Embedding::new(300, 8).sparse()).then(Flatten);
    let layers = layers.then(Dense::new(300)).then(Dense::new(70));
    let mut plan = Plan::new();
    let (_, cache) = layers.plan([5].into(), &mut plan).unwrap();
    for optimizer in [&chainrule_optim::adam(0.1) as &dyn UpdateRule<f32>, &chainrule_optim::sgd(0.1)] {
        let slots = optimizer.slots();
        let buckets = Buckets::new(&plan, &cache, optimizer, sparse(optimizer));
        let size = slots * plan.size();
        let by_slot: Vec<f32> = (0..size).map(|index| index as f32).collect();
        let mut state = vec![f32::NAN; size];
        buckets.state_by_bucket(&by_slot, &mut state);
        assert_eq!(buckets.state_by_slot(&state), by_slot);
        let mut largest = vec![f64::NAN; slots];
        buckets.largest_by_slot(buckets.updated(), &state, &mut largest);
        let right: Vec<f64> = (1..=slots).map(|slot| (slot * plan.size() - 1) as f64).collect();
        assert_eq!(largest, right);
        // The same, put together of two parts.
        let mut bytes = vec![0; size_of_val(&state[..])];
        let (first, second) = buckets.fixed.split_at(2);
        for part in [second, first] {
            let last = part[part.len() - 1];
            let own = &state[part[0].state..last.state + slots * (last.end - last.start)];
            let mut of_part = vec![f64::NAN; slots];
            buckets.largest_by_slot(part, own, &mut of_part);
            let most = last.end as f64 - 1.0;
            assert_eq!(
                of_part,
                (0..slots).map(|slot| (slot * plan.size()) as f64 + most).collect::<Vec<_>>()
            );
            buckets.bytes_by_slot::<f32>(part, &crate::numbers::bytes(own), &mut bytes).unwrap();
            assert_eq!(buckets.bytes_by_slot::<f32>(part, &[0; 3], &mut bytes).is_some(), slots == 0);
        }
        assert_eq!(bytes, crate::numbers::bytes(&by_slot));
        assert!(buckets.of_shards(true).iter().map(Range::len).sum::<usize>() < plan.size());
        if slots == 2 {
            assert!(buckets.tables);
            // The second row of the table, then the first bucket after the table.
            assert_eq!(state[16..18], [8.0, 9.0]);
            assert_eq!(state[24..26], [(plan.size() + 8) as f32, (plan.size() + 9) as f32]);
            let Bucket { start, end, .. } = buckets.fixed[1];
            assert_eq!(state[2 * start], start as f32);
            assert_eq!(state[start + end], (plan.size() + start) as f32);
        }
    }
}

#[test]
fn products_are_cut_into_whole_rows() {
    let inner = Residual(Sequential::new().then(Dense::new(300)));
    let layers = Sequential::new().then(Dense::new(300)).then(inner).then(Dense::new(2 * MAX_LEN));
    let mut plan = Plan::new();
    let (_, cache) = layers.plan([100].into(), &mut plan).unwrap();
    let buckets = cut(&plan, &cache, true, Sharing::Kind);
    assert_eq!((buckets[0].start, buckets[buckets.len() - 1].end), (0, plan.size()));
    assert!(buckets.windows(2).all(|pair| pair[0].end == pair[1].start));
    for bucket in &buckets {
        match bucket.source {
            GradSource::Product { stage: 0, first_row, columns: 300 } => {
                assert_eq!(bucket.start, 300 * first_row);
                assert_eq!((bucket.end - bucket.start) % 300, 0);
            }
            GradSource::Product { stage, columns, .. } => {
                assert_eq!((stage, columns), (2, 2 * MAX_LEN));
                assert_eq!(bucket.end - bucket.start, MAX_LEN_OF_ROWS);
            }
            // What is inside another layer has gradients of its own.
            GradSource::Shards => assert!(bucket.end - bucket.start <= MAX_LEN),
            GradSource::Table { .. } => panic!("there is no table"),
        }
    }
}
