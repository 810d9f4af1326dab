use super::*;

const B: Length = Length::Batch(1);

fn known(lengths: &[i64]) -> Vec<Length> {
    lengths.iter().map(|&length| Length::Known(length)).collect()
}

#[test]
fn axes_of_heads_come_and_go() {
    // [B, 5, 12] to [5, B, 3, 2, 2], one of the three, to [B·2, 5, 2].
    let view = View::of(0, &[5, 12]).transposed(&[1, 0, 2]).unwrap();
    let split = view.reshaped(&[known(&[5]), vec![B], known(&[3, 2, 2])].concat(), false, None).unwrap();
    assert_eq!(split.lengths(), [known(&[5]), vec![B], known(&[3, 2, 2])].concat());
    let keys = split.picked(2, 1, 1, true).unwrap();
    let heads = keys
        .reshaped(&[Length::Known(5), Length::Batch(2), Length::Known(2)], false, None)
        .unwrap()
        .transposed(&[1, 0, 2])
        .unwrap();
    assert_eq!(heads.lengths(), [Length::Batch(2), Length::Known(5), Length::Known(2)]);
    let columns = heads.columns(&[heads.axis(0), heads.axis(2)].concat(), heads.axis(1), 12).unwrap();
    assert_eq!(columns, [4, 5, 6, 7]);
    // And back to what they were.
    let back = heads
        .transposed(&[1, 0, 2])
        .unwrap()
        .reshaped(&[Length::Known(5), B, Length::Known(4)], false, None)
        .unwrap();
    assert_eq!(back.sample().0, [5, 4]);
}

#[test]
fn the_batch_stays_what_it_is() {
    let view = View::of(0, &[4, 6]);
    assert!(view.reshaped(&known(&[4, -1, 5]), false, None).unwrap_err().contains("mixes"));
    assert_eq!(view.reshaped(&known(&[-1, 24]), false, None).unwrap().lengths(), [B, Length::Known(24)]);
    assert_eq!(
        view.reshaped(&known(&[0, -1, 3]), false, None).unwrap().lengths(),
        [vec![B], known(&[8, 3])].concat()
    );
    // As it was exported, for 7 samples.
    assert_eq!(view.reshaped(&known(&[7, 24]), false, Some(7)).unwrap().lengths(), [B, Length::Known(24)]);
    assert_eq!(
        view.reshaped(&known(&[28, 6]), false, Some(7)).unwrap().lengths(),
        [Length::Batch(4), Length::Known(6)]
    );
    assert!(view.reshaped(&known(&[0, 5, -1]), false, None).is_err());
    assert!(view.reshaped(&known(&[i64::MAX, i64::MAX]), false, None).is_err());
    assert!(view.picked(0, 0, 1, true).is_err());
    assert!(view.picked(1, 3, 2, false).is_err());
    assert!(view.transposed(&[0, 1, 1]).is_err());
}

#[test]
fn parts_are_joined_again() {
    let view = View::of(3, &[2, 5]);
    let part = |index| view.picked(1, index, 1, true).unwrap();
    let joined = View::joined(&[part(0), part(1)], 1).unwrap();
    assert_eq!(joined, view.reshaped(&[B, Length::Known(10)], false, None).unwrap());
    assert!(View::joined(&[part(1), part(0)], 1).is_none());
    let halves = [view.picked(2, 0, 2, false).unwrap(), view.picked(2, 2, 2, false).unwrap()];
    assert_eq!(View::joined(&halves, 2).unwrap(), view.picked(2, 0, 4, false).unwrap());
}

#[test]
fn what_makes_the_samples() {
    use Rearrangement::{Permute, Range, Reshape, Step};
    let view = View::of(0, &[3, 4, 5]);
    assert_eq!(view.rearrangements(&[3, 4, 5]).unwrap(), []);
    let moved = view.transposed(&[0, 3, 1, 2]).unwrap();
    assert_eq!(moved.rearrangements(&[3, 4, 5]).unwrap(), [Permute(vec![2, 0, 1])]);
    let steps = View::of(0, &[3, 4]);
    let last = steps.picked(1, 2, 1, true).unwrap();
    assert_eq!(last.rearrangements(&[3, 4]).unwrap(), [Step { last: true }]);
    let middle = steps.picked(2, 1, 2, false).unwrap();
    let range = Range { axes: [3, 4, 1], before: 1, after: 1 };
    assert_eq!(middle.rearrangements(&[3, 4]).unwrap(), [Reshape(vec![3, 4, 1]), range, Reshape(vec![3, 2])]);
    assert!(steps.reversed(1).unwrap().rearrangements(&[3, 4]).is_err());
}
