//! Nodes that move values, which are views of them.

use super::builder::Known;
use super::constant::integers;
use super::lengths::{of_constant, range};
use super::node::{Length, Operation};
use super::view::View;

/// The types of elements that samples may be made: single, half and double precision, and bfloat16.
const FLOATS: [i64; 4] = [1, 10, 11, 16];

/// The types of ids.
const IDS: [i64; 2] = [6, 7];

/// Whether samples may be made this type; only those of an input are ids, which are whole already.
fn cast(to: i64, is_input: bool) -> Result<(), String> {
    match to {
        to if FLOATS.contains(&to) || is_input && IDS.contains(&to) => Ok(()),
        to if IDS.contains(&to) => Err("it rounds values to whole numbers".into()),
        to => Err(format!("it makes elements of the type {to}, which samples do not have")),
    }
}

/// The views that a node makes of these, if it moves values and nothing else; `is_input` says whether the first is of an input.
pub(super) fn moved(
    operation: &Operation<'_>,
    operator: &str,
    views: &[&View],
    inputs: &[Option<Known>],
    batch: Option<i64>,
    is_input: bool,
) -> Result<Option<Vec<View>>, String> {
    let view = views[0];
    Ok(Some(vec![match operator {
        "Identity" | "Dropout" => view.clone(),
        "Cast" => cast(operation.int("to", 0), is_input).map(|()| view.clone())?,
        "CastLike" => {
            let float = operation.weight(1)?.dtype().is_float();
            cast(if float { FLOATS[0] } else { IDS[0] }, is_input).map(|()| view.clone())?
        }
        "Reshape" => {
            let lengths = match inputs.get(1) {
                Some(Some(Known::Lengths(lengths))) => Some(lengths.clone()),
                Some(Some(Known::Constant(axes))) => of_constant(axes),
                _ => None,
            };
            let lengths = lengths.ok_or("its shape is computed from the samples")?;
            view.reshaped(&lengths, operation.int("allowzero", 0) != 0, batch)?
        }
        "Flatten" => {
            let rank = view.rank();
            let axis = operation.int("axis", 1);
            let axis = if axis == rank as i64 { rank } else { view.axis_index(axis, rank)? };
            let lengths = view.lengths();
            let one = |lengths: &[Length]| {
                lengths.iter().try_fold(Length::Known(1), |product, length| product.times(*length))
            };
            let both = [one(&lengths[..axis]), one(&lengths[axis..])].into_iter().collect::<Option<Vec<_>>>();
            view.reshaped(&both.ok_or("its axes are too long")?, true, None)?
        }
        "Squeeze" => view.squeezed(operation.axes(1)?.as_deref())?,
        "Unsqueeze" => view.unsqueezed(&operation.axes(1)?.ok_or("it has no axes")?)?,
        "Transpose" => {
            let reversed: Vec<i64> = (0..view.rank() as i64).rev().collect();
            let order = operation.ints("perm").unwrap_or(&reversed);
            let order = order
                .iter()
                .map(|&axis| view.axis_index(axis, view.rank()))
                .collect::<Result<Vec<_>, _>>()?;
            view.transposed(&order)?
        }
        "Slice" => slice(operation, view)?,
        "Split" => return split(operation, view).map(Some),
        "Gather" => gather(operation, view)?,
        "Concat" => {
            let axis = view.axis_index(operation.int("axis", 0), view.rank())?;
            let parts: Vec<View> = views.iter().map(|view| (*view).clone()).collect();
            match View::joined(&parts, axis) {
                Some(view) => view,
                None => return Ok(None),
            }
        }
        _ => return Ok(None),
    }]))
}

fn slice(operation: &Operation<'_>, view: &View) -> Result<View, String> {
    let given = |name: &str, input: usize| operation.integers(name, input);
    let (starts, ends) = given("starts", 1)?.zip(given("ends", 2)?).ok_or("it has no starts or no ends")?;
    let axes = given("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = given("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("it has other numbers of starts, ends, axes and steps".into());
    }
    let mut view = view.clone();
    for (index, &axis) in axes.iter().enumerate() {
        let axis = view.axis_index(axis, view.rank())?;
        let whole = starts[index] == 0 && ends[index] >= i64::from(i32::MAX) && steps[index] == 1;
        if whole {
            continue;
        }
        let picked = range(starts[index], ends[index], steps[index], view.length(axis));
        let (start, len, reversed) = picked.ok_or("it picks values by steps")?;
        if start != 0 || len != view.length(axis) {
            view = view.picked(axis, start, len, false)?;
        }
        if reversed {
            view = view.reversed(axis)?;
        }
    }
    Ok(view)
}

fn split(operation: &Operation<'_>, view: &View) -> Result<Vec<View>, String> {
    let axis = view.axis_index(operation.int("axis", 0), view.rank())?;
    let length = view.length(axis);
    let lengths: Vec<usize> = match operation.integers("split", 1)? {
        Some(lengths) => lengths
            .iter()
            .map(|&length| usize::try_from(length).ok())
            .collect::<Option<_>>()
            .ok_or("a part of it has a negative length")?,
        None => {
            let parts = usize::try_from(operation.int("num_outputs", operation.outputs as i64)).unwrap_or(0);
            let each = length.checked_div(parts).ok_or("it has no parts")?;
            if parts > operation.outputs || each * parts != length {
                return Err("it has parts of unequal lengths".into());
            }
            vec![each; parts]
        }
    };
    let mut views = Vec::new();
    let mut start = 0;
    for len in lengths {
        views.push(if len == length { view.clone() } else { view.picked(axis, start, len, false)? });
        start = start.saturating_add(len);
    }
    if start != length {
        return Err(format!("its parts do not sum to the {length} values of the axis"));
    }
    Ok(views)
}

/// One value of an axis, neighbouring ones, or all from the last to the first.
fn gather(operation: &Operation<'_>, view: &View) -> Result<View, String> {
    let axis = view.axis_index(operation.int("axis", 0), view.rank())?;
    let indices = operation.constant(1).ok_or("its indices are computed")?;
    let numbers = integers(indices).ok_or("it picks values by a long list")?;
    let length = view.length(axis) as i64;
    let index = |number: &i64| {
        usize::try_from(if *number < 0 { number.saturating_add(length) } else { *number }).ok()
    };
    let picked =
        numbers.iter().map(index).collect::<Option<Vec<_>>>().ok_or("it picks a value that is not there")?;
    let first = *picked.first().ok_or("it picks nothing")?;
    let rising = |next: [usize; 2]| next[1] == next[0] + 1;
    let falling = |next: [usize; 2]| next[0] == next[1] + 1;
    match indices.shape() {
        [] => view.picked(axis, first, 1, true),
        [_] if picked.array_windows().copied().all(rising) => view.picked(axis, first, picked.len(), false),
        [_] if picked.array_windows().copied().all(falling) => {
            view.picked(axis, first + 1 - picked.len(), picked.len(), false)?.reversed(axis)
        }
        _ => Err("it picks values of its samples in another order".into()),
    }
}
