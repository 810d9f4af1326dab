//! The samples of a view: their shape, and the layers that make them of the output of its source.

use super::{Atom, Frame, Slot, View};

/// A layer that moves values, of those that make a sample of a view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::onnx::read) enum Rearrangement {
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

impl View {
    /// Where the values of an axis, or of several one after the other, are in the last axis of the source, `[..., length]`; nothing if they are not there, or if `steps` are not
    /// all that comes before it.
    pub(in crate::onnx::read) fn columns(
        &self,
        slots: &[Slot],
        steps: &[Slot],
        length: usize,
    ) -> Option<Vec<usize>> {
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
    pub(in crate::onnx::read) fn sample(&self) -> (Vec<usize>, Frame) {
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
        (shape, Frame::of(frame))
    }

    /// The layers that make these samples of the output of the source, which has this shape.
    pub(in crate::onnx::read) fn rearrangements(
        &self,
        source: &[usize],
    ) -> Result<Vec<Rearrangement>, String> {
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
}
