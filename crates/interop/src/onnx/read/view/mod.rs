//! What reshapes, transpositions and slices make of the values of a layer, until another layer takes them.
//!
//! Exporters move the axis of the batch, split axes and put them together, mostly so that an attention or a recurrent layer finds its axes where
//! its operator has them. Samples here have no axis of the batch to be moved. So a value is a *view* of the output of a layer: the axes of a
//! sample are cut into factors, the *atoms*, and each axis of the graph is a list of atoms, of which the batch is one.

mod changes;
mod frame;
mod rearrangement;
#[cfg(test)]
mod tests;

use super::node::Length;

pub(super) use frame::Frame;
pub(super) use rearrangement::Rearrangement;

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
        let axes = frame.axes().iter().map(|axis| axis.iter().flat_map(slots).collect()).collect();
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
