//! What reshapes, transpositions and slices make of the values of a layer, until another layer takes them.
//!
//! Exporters move the axis of the batch, split axes and put them together, mostly so that an attention or a recurrent layer finds its axes where
//! its operator has them. Samples here have no axis of the batch to be moved. So a value is a *view* of the output of a layer: the axes of a
//! sample are cut into factors, the *atoms*, and each axis of the graph is a list of atoms, of which the batch is one.

use super::node::Length;

/// The most axes of a value.
const MAX_AXES: usize = 16;

/// A factor of an axis of a sample, of which a range may be picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Atom {
    /// How long it is in the source.
    full: usize,
    start: usize,
    /// How much of it is here, at least 1.
    len: usize,
    /// Whether it is counted from its end.
    reversed: bool,
}

impl Atom {
    fn whole(length: usize) -> Self {
        Self { full: length, start: 0, len: length, reversed: false }
    }

    fn is_whole(self) -> bool {
        self.len == self.full && !self.reversed
    }
}

/// What an axis is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Batch,
    /// The atom of this index.
    Atom(usize),
}

/// The values of a layer in another arrangement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct View {
    pub(super) source: usize,
    /// Those of the source in row-major order. Of an atom with one value here no axis is made.
    atoms: Vec<Atom>,
    axes: Vec<Vec<Slot>>,
}

/// How the axes of a sample and the batch are the axes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame(Vec<Vec<Option<usize>>>);

/// A layer that moves values, of those that make a sample of a view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rearrangement {
    /// The step of this index of a sequence, the first or the last.
    Step {
        last: bool,
    },
    /// These values of an axis in the middle of three.
    Range {
        axes: [usize; 3],
        before: usize,
        after: usize,
    },
    Reshape(Vec<usize>),
    Permute(Vec<usize>),
}

fn too_many() -> String {
    format!("it makes more than {MAX_AXES} axes")
}

impl View {
    /// All of the output of a layer, with the axis of the batch before those of a sample.
    pub(super) fn of(source: usize, shape: &[usize]) -> Self {
        let atoms: Vec<Atom> = shape.iter().copied().filter(|&length| length > 1).map(Atom::whole).collect();
        let mut next = 0;
        let mut axes = vec![vec![Slot::Batch]];
        for &length in shape {
            axes.push(if length > 1 { vec![Slot::Atom(next)] } else { Vec::new() });
            next += usize::from(length > 1);
        }
        Self { source, atoms, axes }
    }

    /// All of the output of a layer whose sample has the axes of a frame.
    pub(super) fn framed(source: usize, shape: &[usize], frame: &Frame) -> Self {
        let Self { atoms, axes, .. } = Self::of(source, shape);
        let slots = |slot: &Option<usize>| match slot {
            None => vec![Slot::Batch],
            Some(axis) => axes.get(axis + 1).cloned().unwrap_or_default(),
        };
        let axes = frame.0.iter().map(|axis| axis.iter().flat_map(slots).collect()).collect();
        Self { source, atoms, axes }
    }

    pub(super) fn rank(&self) -> usize {
        self.axes.len()
    }

    fn length_of(&self, slots: &[Slot]) -> usize {
        let length = |slot: &Slot| match slot {
            Slot::Batch => 1,
            Slot::Atom(atom) => self.atoms[*atom].len,
        };
        slots.iter().map(length).product()
    }

    /// The length of each axis.
    pub(super) fn lengths(&self) -> Vec<Length> {
        let length = |slots: &Vec<Slot>| {
            let own = self.length_of(slots) as i64;
            if slots.contains(&Slot::Batch) { Length::Batch(own) } else { Length::Known(own) }
        };
        self.axes.iter().map(length).collect()
    }

    /// Whether an axis is the first of the source, of this length.
    pub(super) fn is_first(&self, axis: usize, length: usize) -> bool {
        let slots = &self.axes[axis];
        let first = slots.iter().copied().eq((0..slots.len()).map(Slot::Atom));
        first && self.length(axis) == length && self.atoms[..slots.len()].iter().all(|atom| atom.is_whole())
    }

    /// The slots of an axis.
    pub(super) fn axis(&self, axis: usize) -> &[Slot] {
        &self.axes[axis]
    }

    /// The length of an axis without the batch.
    pub(super) fn length(&self, axis: usize) -> usize {
        self.length_of(&self.axes[axis])
    }

    /// Whether the first axis is the batch, and no other has to do with it.
    pub(super) fn is_of_samples(&self) -> bool {
        self.axes.first().is_some_and(|slots| *slots == [Slot::Batch])
    }

    /// Whether all values of the layer are there, in their order along each axis.
    pub(super) fn is_whole(&self) -> bool {
        self.atoms.iter().all(|atom| atom.is_whole())
    }

    /// Whether it is the output of the layer as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.is_whole()
            && self
                .axes
                .iter()
                .flatten()
                .copied()
                .filter(|slot| *slot != Slot::Batch)
                .eq((0..self.atoms.len()).map(Slot::Atom))
    }

    /// An axis of a node, which may be counted from the end.
    pub(super) fn axis_index(&self, axis: i64, rank: usize) -> Result<usize, String> {
        let axis = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
        usize::try_from(axis)
            .ok()
            .filter(|axis| *axis < rank)
            .ok_or_else(|| "it acts on an axis that is not there".to_owned())
    }

    pub(super) fn transposed(&self, order: &[usize]) -> Result<Self, String> {
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
    pub(super) fn unsqueezed(&self, axes: &[i64]) -> Result<Self, String> {
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
    pub(super) fn squeezed(&self, axes: Option<&[i64]>) -> Result<Self, String> {
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
    pub(super) fn reshaped(
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
    pub(super) fn picked(&self, axis: usize, start: usize, len: usize, gone: bool) -> Result<Self, String> {
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
    pub(super) fn reversed(&self, axis: usize) -> Result<Self, String> {
        let mut view = self.clone();
        match self.axes[axis][..] {
            [] => {}
            [Slot::Atom(atom)] => view.atoms[atom].reversed ^= true,
            _ => return Err("it reverses several axes that were put together".into()),
        }
        Ok(view)
    }

    /// The view of which these are the parts along an axis, one after the other; nothing if they are not.
    pub(super) fn joined(parts: &[Self], axis: usize) -> Option<Self> {
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

    /// Where the values of an axis, or of several one after the other, are in the last axis of the source, `[..., length]`; nothing if they are not there, or if `steps` are not
    /// all that comes before it.
    pub(super) fn columns(&self, slots: &[Slot], steps: &[Slot], length: usize) -> Option<Vec<usize>> {
        // The atoms of the last axis.
        let mut first = self.atoms.len();
        let mut size = 1;
        while size < length {
            first = first.checked_sub(1)?;
            size *= self.atoms[first].full;
        }
        let before = self.atoms[..first].iter().all(|atom| atom.is_whole());
        let steps = steps.iter().copied().filter(|slot| *slot != Slot::Batch);
        if size != length || !before || !steps.eq((0..first).map(Slot::Atom)) {
            return None;
        }
        let mut strides = vec![1; self.atoms.len() - first];
        for index in (1..strides.len()).rev() {
            strides[index - 1] = strides[index] * self.atoms[first + index].full;
        }
        let offset = |atom: usize, index: usize| {
            let Atom { start, len, reversed, .. } = self.atoms[atom];
            (start + if reversed { len - 1 - index } else { index }) * strides[atom - first]
        };
        let mut columns: Vec<usize> = vec![
            (first..self.atoms.len())
                .filter(|atom| !slots.contains(&Slot::Atom(*atom)))
                .map(|atom| offset(atom, 0))
                .sum(),
        ];
        for slot in slots {
            let Slot::Atom(atom) = *slot else { continue };
            if atom < first {
                return None;
            }
            let each =
                |column: usize| (0..self.atoms[atom].len).map(move |index| column + offset(atom, index));
            columns = columns.into_iter().flat_map(each).collect();
        }
        Some(columns)
    }

    /// The shape of its samples, without the batch, and how they make its axes.
    pub(super) fn sample(&self) -> (Vec<usize>, Frame) {
        let mut shape = Vec::new();
        let mut frame = Vec::new();
        for slots in &self.axes {
            let mut axis = Vec::new();
            let mut parts = slots.split(|slot| *slot == Slot::Batch).peekable();
            while let Some(part) = parts.next() {
                let alone = slots.len() > part.len() && part.is_empty();
                if !alone {
                    axis.push(Some(shape.len()));
                    shape.push(self.length_of(part));
                }
                if parts.peek().is_some() {
                    axis.push(None);
                }
            }
            frame.push(axis);
        }
        (shape, Frame(frame))
    }

    /// The layers that make these samples of the output of the source, which has this shape.
    pub(super) fn rearrangements(&self, source: &[usize]) -> Result<Vec<Rearrangement>, String> {
        if self.atoms.iter().any(|atom| atom.reversed) {
            return Err("its input has an axis in reverse order, for which there is no layer".into());
        }
        let mut steps = Vec::new();
        let mut shape = source.to_vec();
        let mut lengths: Vec<usize> = self.atoms.iter().map(|atom| atom.full).collect();
        for (index, atom) in self.atoms.iter().enumerate() {
            if atom.is_whole() {
                continue;
            }
            let axes = [lengths[..index].iter().product(), atom.full, lengths[index + 1..].iter().product()];
            let after = atom.full - atom.start - atom.len;
            if let [all, features] = shape[..]
                && [1, all, features] == axes
                && atom.len == 1
                && (atom.start == 0 || after == 0)
            {
                steps.push(Rearrangement::Step { last: after == 0 });
                shape = vec![features];
            } else {
                if shape != axes {
                    steps.push(Rearrangement::Reshape(axes.to_vec()));
                }
                steps.push(Rearrangement::Range { axes, before: atom.start, after });
                shape = vec![axes[0], atom.len, axes[2]];
            }
            lengths[index] = atom.len;
        }
        let order: Vec<usize> = self
            .axes
            .iter()
            .flatten()
            .filter_map(|slot| match slot {
                Slot::Atom(atom) => Some(*atom),
                Slot::Batch => None,
            })
            .collect();
        if !order.is_sorted() {
            // Atoms that stay neighbours are moved together, but axes of the source stay what they are.
            let kept: Vec<usize> = (0..self.atoms.len()).filter(|atom| self.atoms[*atom].len > 1).collect();
            let as_source = shape.iter().copied().eq(kept.iter().map(|&atom| lengths[atom]));
            let mut blocks: Vec<Vec<usize>> = Vec::new();
            for &atom in &order {
                match blocks.last_mut() {
                    Some(block)
                        if !as_source
                            && kept
                                .iter()
                                .position(|kept| Some(kept) == block.last())
                                .map(|at| kept.get(at + 1))
                                == Some(Some(&atom)) =>
                    {
                        block.push(atom)
                    }
                    _ => blocks.push(vec![atom]),
                }
            }
            let mut sorted: Vec<usize> = (0..blocks.len()).collect();
            sorted.sort_by_key(|&block| blocks[block][0]);
            let length = |block: &usize| blocks[*block].iter().map(|&atom| lengths[atom]).product::<usize>();
            let before: Vec<usize> = sorted.iter().map(length).collect();
            if shape != before {
                steps.push(Rearrangement::Reshape(before.clone()));
            }
            let place = |block: usize| sorted.iter().position(|&other| other == block).unwrap_or(0);
            steps.push(Rearrangement::Permute((0..blocks.len()).map(place).collect()));
            shape = (0..blocks.len()).map(|block| length(&block)).collect();
        }
        let (wanted, _) = self.sample();
        if shape != wanted {
            steps.push(Rearrangement::Reshape(wanted));
        }
        Ok(steps)
    }

    /// The same view of another source of the same axes.
    pub(super) fn of_source(self, source: usize) -> Self {
        Self { source, ..self }
    }

    /// Whether the atoms of another view of the same source are these.
    pub(super) fn has_atoms_of(&self, other: &Self) -> bool {
        self.source == other.source && self.atoms == other.atoms
    }

    /// The batch, and of the other axes these.
    pub(super) fn only(&self, axes: &[usize]) -> Self {
        let own = axes.iter().map(|&axis| self.axes[axis].clone());
        let axes = [vec![Slot::Batch]].into_iter().chain(own).collect();
        Self { axes, ..self.clone() }
    }

    /// With the axes before the last as one after the batch; if `vector`, without that one.
    pub(super) fn as_steps(&self, vector: bool) -> Self {
        let Some((last, before)) = self.axes.split_last() else { return self.clone() };
        let steps = before.concat().into_iter().filter(|slot| *slot != Slot::Batch).collect();
        let axes = if vector {
            vec![vec![Slot::Batch], last.clone()]
        } else {
            vec![vec![Slot::Batch], steps, last.clone()]
        };
        Self { axes, ..self.clone() }
    }

    /// The axes of this view before its last one, and for that one `units`, of a source `[steps, units]`.
    pub(super) fn with_last_axis(&self, source: usize, units: usize) -> Self {
        let mut atoms = Vec::new();
        let mut axes = Vec::new();
        for slots in &self.axes[..self.axes.len().saturating_sub(1)] {
            let mut axis = Vec::new();
            for slot in slots {
                axis.push(match slot {
                    Slot::Batch => Slot::Batch,
                    Slot::Atom(atom) => {
                        atoms.push(Atom::whole(self.atoms[*atom].len));
                        Slot::Atom(atoms.len() - 1)
                    }
                });
            }
            axes.push(axis);
        }
        axes.push(if units > 1 { vec![Slot::Atom(atoms.len())] } else { Vec::new() });
        if units > 1 {
            atoms.push(Atom::whole(units));
        }
        Self { source, atoms, axes }
    }
}

impl Frame {
    pub(super) fn of(axes: Vec<Vec<Option<usize>>>) -> Self {
        Self(axes)
    }

    /// That of samples behind the axis of the batch.
    pub(super) fn plain(rank: usize) -> Self {
        Self([None].into_iter().chain((0..rank).map(Some)).map(|slot| vec![slot]).collect())
    }

    /// Whether the axis of the batch is the first, and no other has to do with it.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::plain(self.0.len().saturating_sub(1))
    }

    /// The number of axes of a sample.
    pub(super) fn samples(&self) -> usize {
        self.0.iter().flatten().flatten().count()
    }

    /// The number of axes of the value.
    pub(super) fn rank(&self) -> usize {
        self.0.len()
    }

    /// The axis of the value that is that of the batch, if it is that alone.
    pub(super) fn batch_axis(&self) -> Option<usize> {
        self.0.iter().position(|slots| slots[..] == [None])
    }

    /// The axis of a sample that an axis of the value is.
    pub(super) fn sample_axis(&self, axis: i64) -> Result<usize, String> {
        let axis = if axis < 0 { axis.saturating_add(self.rank() as i64) } else { axis };
        match usize::try_from(axis).ok().and_then(|axis| self.0.get(axis)).map(|slots| &slots[..]) {
            Some([Some(axis)]) => Ok(*axis),
            _ => Err("it acts on the axis of the batch, or on one that is not there".into()),
        }
    }

    /// Whether a constant of this shape, whose axes are the last ones of the value, has the axes of a sample, and one value for all samples.
    pub(super) fn fits(&self, constant: &[usize], sample: &[usize]) -> bool {
        let missing = self.rank().saturating_sub(constant.len());
        let length = |axis: usize| if axis < missing { 1 } else { constant[axis - missing] };
        constant.len() <= self.rank()
            && self.0.iter().enumerate().all(|(axis, slots)| match slots[..] {
                [None] => length(axis) == 1,
                [Some(own)] => sample.get(own) == Some(&length(axis)),
                _ => false,
            })
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            view.reshaped(&known(&[7, 24]), false, Some(7)).unwrap().lengths(),
            [B, Length::Known(24)]
        );
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
        assert_eq!(
            middle.rearrangements(&[3, 4]).unwrap(),
            [Reshape(vec![3, 4, 1]), range, Reshape(vec![3, 2])]
        );
        assert!(steps.reversed(1).unwrap().rearrangements(&[3, 4]).is_err());
    }
}
