//! Where the values of a program are in memory: those that are not needed at the same time share it.

use super::program::Program;

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Location {
    /// The sample that the caller gave.
    Input,
    /// What the caller gets.
    Output,
    /// At this index of the memory.
    Memory(usize),
}

/// The locations of all values.
#[derive(Debug)]
pub(super) struct Arrangement {
    pub(super) locations: Vec<Location>,
    /// For each step, whether it changes a copy of its first input, which is needed later.
    pub(super) copies: Vec<bool>,
    /// Whether the result is copied to the caller at the end.
    pub(super) copied_out: bool,
    /// How many numbers the memory holds.
    pub(super) size: usize,
}

/// Values that are one after the other at one location, and when: from the first step to the last.
struct Region {
    root: usize,
    size: usize,
    first: usize,
    last: usize,
}

pub(super) fn arrange(program: &Program) -> Arrangement {
    let count = program.slots.len();
    let mut last_use = vec![0; count];
    for (index, step) in program.steps.iter().enumerate() {
        step.inputs.iter().for_each(|&input| last_use[input] = index);
        last_use[step.output] = last_use[step.output].max(index);
    }
    last_use[program.output] = program.steps.len();
    // The value that each one is a change of.
    let mut roots: Vec<usize> = (0..count).collect();
    let mut copies = Vec::new();
    for (index, step) in program.steps.iter().enumerate() {
        let changed = step.inputs.first().copied().filter(|_| step.in_place);
        let own = changed.filter(|&x| roots[x] != 0 && last_use[x] == index && !step.read().contains(&x));
        copies.push(changed.is_some() && own.is_none());
        if let Some(x) = own {
            roots[step.output] = roots[x];
        }
    }
    let of_output = roots[program.output];
    let copied_out = of_output == 0 || program.slots[of_output].room > 0;
    let mut regions: Vec<Region> = Vec::new();
    for (index, step) in program.steps.iter().enumerate() {
        let root = roots[step.output];
        let last = last_use[step.output];
        match regions.iter_mut().find(|region| region.root == root) {
            Some(region) => region.last = region.last.max(last),
            None => {
                let slot = program.slots[root];
                regions.push(Region { root, size: slot.count + slot.room, first: index, last });
            }
        }
    }
    regions.retain(|region| copied_out || region.root != of_output);
    // The largest first, each at the lowest index that is free while it is needed.
    regions.sort_by_key(|region| (std::cmp::Reverse(region.size), region.root));
    let mut placed: Vec<(Region, usize)> = Vec::new();
    for region in regions {
        let meets = |other: &Region| other.first <= region.last && region.first <= other.last;
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|(other, _)| meets(other))
            .map(|(other, at)| (*at, at + other.size))
            .collect();
        taken.sort_unstable();
        let mut index = 0;
        for (from, to) in taken {
            if index + region.size <= from {
                break;
            }
            index = index.max(to);
        }
        placed.push((region, index));
    }
    let size = placed.iter().map(|(region, index)| index + region.size).max().unwrap_or(0);
    let locate = |root: usize| match root {
        0 => Location::Input,
        _ if root == of_output && !copied_out => Location::Output,
        _ => {
            let found = placed.iter().find(|(region, _)| region.root == root);
            Location::Memory(found.map_or(0, |(_, index)| *index))
        }
    };
    let locations = roots.into_iter().map(locate).collect();
    Arrangement { locations, copies, copied_out, size }
}
