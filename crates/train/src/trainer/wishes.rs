//! What callbacks ask for, as members tell each other.

/// What the callbacks of a member have asked for at an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) stop: bool,
    pub(super) save: bool,
    pub(super) restore: bool,
}

impl Wishes {
    /// As a number that members tell each other.
    pub(super) fn number(self) -> u8 {
        let Self { stop, save, restore } = self;
        u8::from(stop) | u8::from(save) << 1 | u8::from(restore) << 2
    }

    /// Those of a number, if it is one of theirs.
    pub(super) fn of(number: u8) -> Option<Self> {
        let has = |bit: u8| number & 1 << bit != 0;
        (number < 8).then_some(Self { stop: has(0), save: has(1), restore: has(2) })
    }
}
