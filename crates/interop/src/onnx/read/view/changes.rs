//! What the nodes of a graph make of a view: other axes, or some of its values.

use super::super::node::Length;
use super::{Atom, Slot, View};

/// The most axes of a value.
const MAX_AXES: usize = 16;

fn too_many() -> String {
    format!("it makes more than {MAX_AXES} axes")
}

impl View {
    pub(in crate::onnx::read) fn transposed(&self, order: &[usize]) -> Result<Self, String> {
        let mut seen = vec![false; self.rank()];
        for &axis in order {
            match seen.get_mut(axis) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err("its perm is no order of the axes".into()),
            }
        }
        if order.len() != self.rank() {
            return Err("its perm is no order of the axes".into());
        }
        let axes = order.iter().map(|&axis| self.axes[axis].clone()).collect();
        Ok(Self { axes, ..self.clone() })
    }

    /// With axes of length 1 at these indices of the result.
    pub(in crate::onnx::read) fn unsqueezed(&self, axes: &[i64]) -> Result<Self, String> {
        let rank = self.rank() + axes.len();
        if rank > MAX_AXES {
            return Err(too_many());
        }
        let mut new = axes.iter().map(|&axis| self.axis_index(axis, rank)).collect::<Result<Vec<_>, _>>()?;
        new.sort_unstable();
        new.dedup();
        if new.len() != axes.len() {
            return Err("it adds an axis twice".into());
        }
        let mut view = self.clone();
        new.into_iter().for_each(|axis| view.axes.insert(axis, Vec::new()));
        Ok(view)
    }

    /// Without these axes of length 1; without any if there are none given.
    pub(in crate::onnx::read) fn squeezed(&self, axes: Option<&[i64]>) -> Result<Self, String> {
        let all = || (0..self.rank()).filter(|&axis| self.axes[axis].is_empty()).collect();
        let given = |axes: &[i64]| {
            axes.iter().map(|&axis| self.axis_index(axis, self.rank())).collect::<Result<Vec<_>, _>>()
        };
        let mut gone = axes.map_or_else(|| Ok(all()), given)?;
        gone.sort_unstable();
        gone.dedup();
        let mut view = self.clone();
        for axis in gone.into_iter().rev() {
            if !view.axes[axis].is_empty() {
                return Err("it removes an axis that is not of length 1".into());
            }
            view.axes.remove(axis);
        }
        Ok(view)
    }

    /// Cuts an atom into an outer one of `outer` values and an inner one.
    fn cut(&mut self, atom: usize, outer: usize) -> Result<(), String> {
        let Atom { full, start, len, reversed } = self.atoms[atom];
        let inner = len / outer;
        if reversed || !full.is_multiple_of(inner) || !start.is_multiple_of(inner) {
            return Err("it splits an axis of which a part was picked".into());
        }
        self.atoms[atom] = Atom { full: full / inner, start: start / inner, len: outer, reversed: false };
        self.atoms.insert(atom + 1, Atom::whole(inner));
        for slot in self.axes.iter_mut().flatten() {
            if let Slot::Atom(index) = slot
                && *index > atom
            {
                *index += 1;
            }
        }
        for slots in &mut self.axes {
            if let Some(at) = slots.iter().position(|slot| *slot == Slot::Atom(atom)) {
                slots.insert(at + 1, Slot::Atom(atom + 1));
            }
        }
        Ok(())
    }

    /// In axes of these lengths: 0 stays as it is unless `zero`, and -1 is what is left. `batch` is the number of samples that the graph was exported for.
    pub(in crate::onnx::read) fn reshaped(
        &self,
        lengths: &[Length],
        zero: bool,
        batch: Option<i64>,
    ) -> Result<Self, String> {
        let mixed = || "its shape mixes the samples of a batch".to_owned();
        if lengths.len() > MAX_AXES {
            return Err(too_many());
        }
        if lengths.iter().any(|length| matches!(length, Length::Known(length) if *length < -1)) {
            return Err("its shape has a negative length".into());
        }
        if lengths.iter().any(|length| match length {
            Length::Batch(factor) => *factor <= 0,
            Length::Known(length) => *length == 0 && zero,
        }) {
            return Err("its shape has an axis of length 0, or one that is negative".into());
        }
        let own = self.lengths();
        let mut targets = Vec::new();
        for (axis, length) in lengths.iter().enumerate() {
            targets.push(match length {
                Length::Known(0) if !zero => {
                    *own.get(axis).ok_or("its shape keeps an axis that is not there")?
                }
                length => *length,
            });
        }
        let size = self.axes.iter().map(|slots| self.length_of(slots)).product::<usize>() as i64;
        let product = |targets: &[Length]| {
            targets.iter().filter(|length| **length != Length::Known(-1)).try_fold(1i64, |product, length| {
                match length {
                    Length::Known(factor) | Length::Batch(factor) => {
                        product.checked_mul(*factor).filter(|_| *factor > 0)
                    }
                }
            })
        };
        // A number of samples that the graph was exported for.
        if self.is_of_samples()
            && let [Length::Known(first), rest @ ..] = &*targets
            && *first > 0
            && batch.is_none_or(|batch| batch == *first)
            && let Some(rest_size) = product(rest)
            && (rest_size == size || rest.contains(&Length::Known(-1)) && size % rest_size == 0)
        {
            targets[0] = Length::Batch(1);
        }
        if let Some(open) = targets.iter().position(|length| *length == Length::Known(-1)) {
            let known = product(&targets).ok_or("its shape is too large")?;
            let has_batch = targets.iter().any(|length| matches!(length, Length::Batch(_)));
            if size % known != 0 || targets.iter().filter(|length| **length == Length::Known(-1)).count() > 1
            {
                return Err(mixed());
            }
            targets[open] = if has_batch { Length::Known(size / known) } else { Length::Batch(size / known) };
        }
        let mut view = self.clone();
        let mut left: Vec<Slot> = view.axes.concat();
        left.reverse();
        view.axes = Vec::new();
        let mut axes: Vec<Vec<Slot>> = Vec::new();
        for target in targets {
            let (mut factor, mut samples) = match target {
                Length::Known(factor) => (factor, false),
                Length::Batch(factor) => (factor, true),
            };
            let mut slots = Vec::new();
            // A batch of one sample is an axis of length 1.
            let mut one = factor == 1 && !samples && batch == Some(1);
            while factor > 1 || samples || one {
                match left.last().copied() {
                    Some(Slot::Batch) if samples => samples = false,
                    Some(Slot::Batch) if one => {}
                    Some(Slot::Batch) if batch.is_some_and(|batch| batch > 1 && factor % batch == 0) => {
                        factor /= batch.unwrap_or(1)
                    }
                    Some(Slot::Atom(atom)) if factor > 1 => {
                        let len = view.atoms[atom].len as i64;
                        if factor % len == 0 {
                            factor /= len;
                        } else if len % factor == 0 {
                            // The atoms of the axes that are not made yet are renumbered as well.
                            view.axes = [&axes[..], &[std::mem::take(&mut slots), left.clone()]].concat();
                            // Those that are left are in reverse order.
                            if let Some(last) = view.axes.last_mut() {
                                last.reverse();
                            }
                            view.cut(atom, factor as usize)?;
                            if let Some(mut rest) = view.axes.pop() {
                                rest.reverse();
                                left = rest;
                            }
                            slots = view.axes.pop().unwrap_or_default();
                            axes = std::mem::take(&mut view.axes);
                            factor = 1;
                        } else {
                            return Err(mixed());
                        }
                    }
                    _ if one => break,
                    _ => return Err(mixed()),
                }
                one = false;
                slots.extend(left.pop());
            }
            axes.push(slots);
        }
        if !left.is_empty() {
            return Err(mixed());
        }
        view.axes = axes;
        Ok(view)
    }

    /// The values from `start` on of an axis, `len` of them; with `gone`, which needs one value, without the axis.
    pub(in crate::onnx::read) fn picked(
        &self,
        axis: usize,
        start: usize,
        len: usize,
        gone: bool,
    ) -> Result<Self, String> {
        let length = self.length(axis);
        if self.axes[axis].contains(&Slot::Batch) {
            return Err("it picks samples of a batch".into());
        }
        if len == 0 || start.checked_add(len).is_none_or(|end| end > length) || (gone && len != 1) {
            return Err(format!("it picks {len} from {start} on of an axis of {length}"));
        }
        let mut view = self.clone();
        let mut start = start;
        for (at, slot) in self.axes[axis].iter().enumerate() {
            let Slot::Atom(index) = *slot else { continue };
            let inner = self.length_of(&self.axes[axis][at + 1..]);
            let atom = &mut view.atoms[index];
            let [first, last] = [start / inner, (start + len - 1) / inner];
            let aligned = start.is_multiple_of(inner) && len.is_multiple_of(inner);
            if first != last && !aligned {
                return Err("it picks a part of several axes that were put together".into());
            }
            let count = last - first + 1;
            atom.start += if atom.reversed { atom.len - first - count } else { first };
            atom.len = count;
            if count > 1 || aligned && inner > 1 {
                break;
            }
            start %= inner;
        }
        let picked = std::mem::take(&mut view.axes[axis]);
        view.axes[axis] = picked
            .into_iter()
            .filter(|slot| !matches!(slot, Slot::Atom(atom) if view.atoms[*atom].len == 1))
            .collect();
        if gone {
            view.axes.remove(axis);
        }
        Ok(view)
    }

    /// With the values of an axis from the last to the first.
    pub(in crate::onnx::read) fn reversed(&self, axis: usize) -> Result<Self, String> {
        let mut view = self.clone();
        match self.axes[axis][..] {
            [] => {}
            [Slot::Atom(atom)] => view.atoms[atom].reversed ^= true,
            _ => return Err("it reverses several axes that were put together".into()),
        }
        Ok(view)
    }

    /// The view of which these are the parts along an axis, one after the other; nothing if they are not.
    pub(in crate::onnx::read) fn joined(parts: &[Self], axis: usize) -> Option<Self> {
        let first = parts.first()?;
        if parts.len() == 1 {
            return Some(first.clone());
        }
        let apart = |part: &Self| {
            part.source == first.source && part.axes == first.axes && part.atoms.len() == first.atoms.len()
        };
        if !parts.iter().all(apart) {
            return None;
        }
        let mut different = (0..first.atoms.len())
            .filter(|&atom| parts.iter().any(|part| part.atoms[atom] != first.atoms[atom]));
        let (atom, None) = (different.next()?, different.next()) else { return None };
        let Atom { full, start, len, reversed: false } = first.atoms[atom] else { return None };
        let follows = |(index, part): (usize, &Self)| {
            part.atoms[atom] == Atom { full, start: start + index * len, len, reversed: false }
        };
        if !parts.iter().enumerate().all(follows) {
            return None;
        }
        let mut view = first.clone();
        view.atoms[atom].len = len * parts.len();
        let slots = view.axes.get_mut(axis)?;
        match slots.first() {
            Some(Slot::Atom(first)) if *first == atom => {}
            _ if len == 1 => slots.insert(0, Slot::Atom(atom)),
            _ => return None,
        }
        Some(view)
    }
}
