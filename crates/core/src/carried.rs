//! The states that layers carry from one pass to the next, taken out of a replica and put into another.
//!
//! A layer that is stateful keeps its state in its cache, wherever in the network that is. To save such a training in the middle of an
//! epoch the states have to be reached. As with [`batch_group`](crate::batch_group), that is a property of the thread that runs a pass:
//! a layer hands its state over where the pass begins with it, and a layer that contains others cannot forget to hand it on.

use std::cell::RefCell;

use chainrule_tensor::Real;

/// What happens to the states with which layers begin a pass.
enum Transfer {
    /// They are noted.
    Collect(Vec<CarriedState>),
    /// They are replaced by these, the first of which is last.
    Supply(Vec<CarriedState>),
}

/// The state with which one layer begins a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct CarriedState {
    /// Whether it is that after an earlier pass; otherwise it is the initial one, and the values are not read.
    pub resumed: bool,
    /// The values. Those of single precision are exact.
    pub values: Vec<f64>,
}

thread_local! {
    static TRANSFER: RefCell<Option<Transfer>> = const { RefCell::new(None) };
}

/// Runs a pass on this thread; returns the states with which its layers began it, in the order in which they did.
pub fn collect(pass: impl FnOnce()) -> Vec<CarriedState> {
    match run(Transfer::Collect(Vec::new()), pass) {
        Some(Transfer::Collect(states)) => states,
        _ => Vec::new(),
    }
}

/// Runs a pass on this thread whose layers begin with these states; returns whether there were as many as the layers took.
pub fn supply(mut states: Vec<CarriedState>, pass: impl FnOnce()) -> bool {
    states.reverse();
    matches!(run(Transfer::Supply(states), pass), Some(Transfer::Supply(rest)) if rest.is_empty())
}

fn run(transfer: Transfer, pass: impl FnOnce()) -> Option<Transfer> {
    let before = TRANSFER.replace(Some(transfer));
    pass();
    TRANSFER.replace(before)
}

/// A stateful layer's part: called in `forward` with the state, in its parts, with which the pass begins, and whether that is the one
/// after an earlier pass. Returns whether it is, after the state was replaced if there is another one to begin with.
pub fn begin<'a, T: Real>(resumed: bool, state: impl Iterator<Item = &'a mut [T]>) -> bool {
    TRANSFER.with_borrow_mut(|transfer| match transfer {
        None => resumed,
        Some(Transfer::Collect(states)) => {
            let values = state.flat_map(|part| part.iter().map(|value| value.as_f64())).collect();
            states.push(CarriedState { resumed, values });
            resumed
        }
        Some(Transfer::Supply(states)) => {
            let Some(CarriedState { resumed: true, values }) = states.pop() else { return resumed };
            state.flatten().zip(values).for_each(|(value, supplied)| *value = T::of(supplied));
            true
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_taken_out_and_put_back() {
        let pass = |resumed: [bool; 2], mut state: [[f32; 2]; 2]| {
            let of_layers = resumed.iter().zip(&mut state);
            let begun = of_layers.map(|(resumed, state)| begin(*resumed, std::iter::once(&mut state[..])));
            let begun: Vec<bool> = begun.collect();
            (begun, state)
        };
        let states = collect(|| {
            pass([true, false], [[1.0, 2.0], [0.0, 0.0]]);
        });
        assert_eq!(states[0], CarriedState { resumed: true, values: vec![1.0, 2.0] });
        let mut seen = None;
        assert!(supply(states.clone(), || seen = Some(pass([false, false], [[0.0; 2]; 2]))));
        assert_eq!(seen, Some((vec![true, false], [[1.0, 2.0], [0.0, 0.0]])));
        assert!(!supply(states, || ()), "no layer took them");
        assert_eq!(pass([false, true], [[5.0; 2]; 2]), (vec![false, true], [[5.0; 2]; 2]));
    }
}
