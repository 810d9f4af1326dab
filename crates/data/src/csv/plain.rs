//! The rows of a file without quotes, read in blocks on all cores.
//!
//! A block that has anything unusual is left to the reader for all files, which also says what is wrong: quotes, a row of another
//! length, a line that ends in another way, a field that is not a number.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use chainrule_tensor::Real;

use super::number::number;

/// The number of bytes of a block: some thousands of numbers, in a core's cache.
const BLOCK: usize = 1 << 19;

/// How a row is made up.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowLayout<'a> {
    pub(super) delimiter: u8,
    /// The number of fields.
    pub(super) fields: usize,
    /// Those that are targets, in the order in which these are wanted.
    pub(super) targets: &'a [usize],
}

impl RowLayout<'_> {
    /// Whether rows may be plain: there are targets, and a number ends where a field does.
    pub(super) fn can_be_plain(&self) -> bool {
        !self.targets.is_empty()
            && !self.delimiter.is_ascii_alphanumeric()
            && !matches!(self.delimiter, b'.' | b'+' | b'-' | b'"' | b'\r' | b'\n')
    }
}

/// Where in a file something begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) byte: u64,
    /// The line, from 1.
    pub(super) line: u64,
}

/// The rows of a block.
pub(super) struct Block<T> {
    text: Vec<u8>,
    /// The features of all rows.
    pub(super) values: Vec<T>,
    /// For each row its line after the first of the block, and for each of its targets the bytes.
    targets: Vec<(u64, Range<usize>)>,
    /// Whether all of it was read.
    plain: bool,
    lines: u64,
}

/// Reads a file from `start` on, and gives `take` the features of a block and, row by row, the line and the targets' texts. Returns
/// where it stopped: after the record before a block that is not plain, or that `take` has refused; `None` at the end of the file.
pub(super) fn read<T: Real>(
    file: &mut File,
    start: Place,
    layout: RowLayout<'_>,
    mut take: impl FnMut(Rows<'_, T>) -> bool,
) -> io::Result<Option<Place>> {
    let length = file.metadata()?.len().saturating_sub(start.byte);
    file.seek(SeekFrom::Start(start.byte))?;
    let blocks = usize::try_from(length / BLOCK as u64).unwrap_or(usize::MAX);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(blocks);
    let mut place = start;
    let mut end = start.byte;
    let mut accept = |block: &Block<T>, first: u64| {
        let rows = Rows { block, layout, first };
        if !(block.plain && take(rows)) {
            return false;
        }
        // Where the reader for all files would be: its records end with the first byte of the end of a line.
        let ends = block.text.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let (text, after) = block.text.split_at(block.text.len() - ends.saturating_sub(1));
        let lines = after.iter().filter(|&&byte| byte == b'\n').count() as u64;
        place.byte = end + text.len() as u64;
        place.line = first + block.lines - lines;
        end += block.text.len() as u64;
        true
    };
    let mut lines = start.line;
    let mut source = Source { file, rest: Vec::new(), ended: false };
    let whole = thread::scope(|scope| -> io::Result<bool> {
        // As many as the system gives; where there are none, this thread reads.
        let mut workers: Vec<Worker<T>> = Vec::new();
        while threads > 1 && workers.len() < threads {
            let (texts, todo) = sync_channel::<Vec<u8>>(2);
            let (done, blocks) = sync_channel(2);
            // It ends when one of its channels does.
            let work = move || {
                let _ = todo.iter().try_for_each(|text| done.send(Block::read(text, layout)));
            };
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
            workers.push(Worker { texts, blocks });
        }
        let threads = workers.len();
        if threads == 0 {
            while let Some(text) = source.next()? {
                let block = Block::read(text, layout);
                if !accept(&block, lines) {
                    return Ok(false);
                }
                lines += block.lines;
            }
            return Ok(true);
        }
        // Blocks go to the workers in turn, and come back in this order.
        let (mut sent, mut taken) = (0, 0);
        loop {
            while sent < taken + 2 * threads
                && let Some(text) = source.next()?
            {
                if workers[sent % threads].texts.send(text).is_err() {
                    return Ok(false);
                }
                sent += 1;
            }
            if taken == sent {
                return Ok(true);
            }
            let Ok(block) = workers[taken % threads].blocks.recv() else { return Ok(false) };
            if !accept(&block, lines) {
                return Ok(false);
            }
            lines += block.lines;
            taken += 1;
        }
    })?;
    Ok((!whole).then_some(place))
}

struct Worker<T> {
    texts: SyncSender<Vec<u8>>,
    blocks: Receiver<Block<T>>,
}

/// The rows of a block, and what they are in the file.
pub(super) struct Rows<'a, T> {
    block: &'a Block<T>,
    layout: RowLayout<'a>,
    first: u64,
}

impl<'a, T> Rows<'a, T> {
    /// The features of all rows.
    pub(super) fn values(&self) -> &'a [T] {
        &self.block.values
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.block.targets.len() / self.layout.targets.len().max(1)
    }

    /// For each row its line, and the bytes of its targets.
    pub(super) fn targets(&self) -> impl Iterator<Item = (u64, impl Iterator<Item = &'a [u8]>)> {
        let Self { block, layout, first } = *self;
        block.targets.chunks(layout.targets.len().max(1)).map(move |row| {
            let texts = row.iter().map(|(_, range)| &block.text[range.clone()]);
            (first + row[0].0, texts)
        })
    }
}

impl<T> Clone for Rows<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Rows<'_, T> {}

/// A file in blocks of whole lines.
struct Source<'a> {
    file: &'a mut File,
    /// The beginning of a line that has no end yet.
    rest: Vec<u8>,
    ended: bool,
}

impl Source<'_> {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        let mut text = std::mem::take(&mut self.rest);
        text.reserve_exact(BLOCK.saturating_sub(text.len()));
        let wanted = BLOCK.saturating_sub(text.len()).max(1) as u64;
        let read = (&mut *self.file).take(wanted).read_to_end(&mut text)?;
        if (read as u64) < wanted {
            self.ended = true;
            return Ok(Some(text).filter(|text| !text.is_empty()));
        }
        // A block without the end of a line is left to the other reader.
        if let Some(end) = text.iter().rposition(|&byte| byte == b'\n') {
            self.rest = text[end + 1..].to_vec();
            text.truncate(end + 1);
        }
        Ok(Some(text))
    }
}

impl<T: Real> Block<T> {
    fn read(text: Vec<u8>, layout: RowLayout<'_>) -> Self {
        let mut block = Self { text, values: Vec::new(), targets: Vec::new(), plain: false, lines: 0 };
        block.plain = block.read_rows(layout).is_some();
        block
    }

    /// Reads all rows; `None` if they are not plain.
    fn read_rows(&mut self, layout: RowLayout<'_>) -> Option<()> {
        let Self { text, values, targets, lines, .. } = self;
        if text.contains(&b'"') || text.len() >= BLOCK && text.last() != Some(&b'\n') {
            return None;
        }
        let RowLayout { delimiter, fields, targets: wanted } = layout;
        let mut rest = &text[..];
        // Where in the row each target is, in their order.
        let mut found = vec![0..0; wanted.len()];
        loop {
            match rest {
                [] => break,
                [b'\n', after @ ..] => {
                    (rest, *lines) = (after, *lines + 1);
                    continue;
                }
                [b'\r', after @ ..] => {
                    rest = after;
                    continue;
                }
                _ => {}
            }
            for field in 0..fields {
                let is_last = field + 1 == fields;
                if let Some(target) = wanted.iter().position(|&column| column == field) {
                    let is_end = |byte: u8| byte == delimiter || matches!(byte, b'\n' | b'\r');
                    let length = rest.iter().position(|&byte| is_end(byte)).unwrap_or(rest.len());
                    let start = text.len() - rest.len();
                    for (target, &column) in found.iter_mut().zip(wanted).skip(target) {
                        if column == field {
                            *target = start..start + length;
                        }
                    }
                    rest = &rest[length..];
                } else {
                    let (value, after) = number(rest, delimiter)?;
                    values.try_reserve(1).ok()?;
                    values.push(value);
                    rest = after;
                }
                match (is_last, rest) {
                    (false, [byte, after @ ..]) if *byte == delimiter => rest = after,
                    (true, [] | [b'\n' | b'\r', ..]) => {}
                    _ => return None,
                }
            }
            targets.try_reserve(wanted.len()).ok()?;
            targets.extend(found.iter().map(|range| (*lines, range.clone())));
        }
        Some(())
    }
}
