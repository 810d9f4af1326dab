//! The stack, the marks and the memory of a pickle, and the bytes that are left.

use super::super::object::{Id, Object};
use super::Machine;

impl<'a> Machine<'a> {
    /// The length of the stack below which the last mark, if there is one, lets nothing be taken.
    pub(super) fn bottom(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn push(&mut self, object: Object) {
        let id = self.heap.add(object);
        self.stack.push(id);
    }

    pub(super) fn pop(&mut self) -> Result<Id, String> {
        if self.stack.len() == self.bottom() {
            return Err("it takes what is not on its stack".into());
        }
        self.stack.pop().ok_or_else(|| "it takes what is not on its stack".into())
    }

    pub(super) fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(|| "it uses what is not on its stack".into())
    }

    pub(super) fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("it goes back to a mark that was not set")?;
        Ok(self.stack.split_off(mark))
    }

    /// Counts items that an object copies of others.
    pub(super) fn copy(&mut self, items: usize) -> Result<(), String> {
        let left = self.left.checked_sub(items);
        self.left = left.ok_or("it copies its objects far more often than it has bytes")?;
        Ok(())
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(length);
        let taken =
            end.and_then(|end| self.bytes.get(self.position..end)).ok_or("it ends within an instruction")?;
        self.position += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(*self.take(N)?.first_chunk().expect("it has this length"))
    }

    /// A length of `N` bytes, and as many bytes.
    pub(super) fn counted<const N: usize>(&mut self) -> Result<&'a [u8], String> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(&self.array::<N>()?);
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| "it ends within a text")?;
        self.take(length)
    }

    pub(super) fn text<const N: usize>(&mut self) -> Result<(), String> {
        let text =
            std::str::from_utf8(self.counted::<N>()?).map_err(|_| "it has a text that is not UTF-8")?;
        self.push(Object::Text(text.to_owned()));
        Ok(())
    }

    pub(super) fn binary<const N: usize>(&mut self) -> Result<(), String> {
        self.counted::<N>()?;
        self.push(Object::Other);
        Ok(())
    }

    pub(super) fn line(&mut self) -> Result<&'a str, String> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or("it ends within a name")?;
        let line = self.take(end + 1)?;
        std::str::from_utf8(&line[..end]).map_err(|_| "it has a name that is not UTF-8".into())
    }

    pub(super) fn remember(&mut self, index: u64) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    pub(super) fn recall(&mut self, index: u64) -> Result<(), String> {
        let id = self.memo.get(&index).ok_or("it recalls what it has not remembered")?;
        self.stack.push(*id);
        Ok(())
    }

    pub(super) fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let list = self.top()?;
        let Object::List(list) = self.heap.get_mut(list) else {
            return Err("it appends to what is no list".into());
        };
        list.extend(items);
        Ok(())
    }

    pub(super) fn set(&mut self, items: &[Id]) -> Result<(), String> {
        let (pairs, rest) = items.as_chunks::<2>();
        let dict = self.top()?;
        match self.heap.get_mut(dict) {
            Object::Dict(entries) if rest.is_empty() => {
                entries.extend(pairs.iter().map(|&[key, value]| (key, value)))
            }
            _ => return Err("it sets entries of what is no dictionary".into()),
        }
        Ok(())
    }
}

/// A whole number in two's complement of any length up to 16 bytes.
pub(super) fn long(bytes: &[u8]) -> Result<i128, String> {
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut value = [if negative { 0xff } else { 0 }; 16];
    value.get_mut(..bytes.len()).ok_or("it has a whole number of more than 16 bytes")?.copy_from_slice(bytes);
    Ok(i128::from_le_bytes(value))
}
