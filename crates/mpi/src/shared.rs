//! Memory that the processes of one machine share.
//!
//! It is a file without a name, in memory, which each of them maps. A message that is lent from it is not copied for a process of the same
//! machine, which is only told where it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chainrule_tensor::SharedMemory;
use chainrule_train::GroupError;
use memmap2::MmapRaw;

use crate::group::MpiGroup;

/// Where Linux has files in memory.
const DIRECTORY: &str = "/dev/shm";

/// The kind of the messages by which processes agree on the memory.
const KIND: u8 = 0;

/// How much is written to a file at a time.
const BLOCK: usize = 1 << 20;

/// The memory of a machine, as this process has mapped it.
#[derive(Debug)]
pub(crate) struct Region {
    map: MmapRaw,
    file: File,
}

/// Where a message is in the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    offset: usize,
    pub(crate) len: usize,
}

impl Place {
    pub(crate) fn bytes(self) -> Vec<u8> {
        [self.offset, self.len].iter().flat_map(|&number| (number as u64).to_le_bytes()).collect()
    }

    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let (offset, len) = bytes.split_at_checked(8)?;
        let number = |bytes: &[u8]| usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok();
        Some(Self { offset: number(offset)?, len: number(len)? })
    }
}

impl Region {
    /// New memory. Its file has no name, so that nothing is left of it once no process has it.
    fn create(bytes: usize) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(DIRECTORY).join(format!("chainrule-{}-{number}", process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        fs::remove_file(&path)?;
        fill(&file, bytes)?;
        Ok(Self { map: MmapRaw::map_raw(&file)?, file })
    }

    /// What another process of the machine finds it by.
    fn name(&self) -> io::Result<String> {
        let [device, inode] = identity(&self.file)?;
        Ok(format!("{} {} {device} {inode}", process::id(), descriptor(&self.file)))
    }

    /// The memory that another process has created, of so many bytes.
    fn open(name: &str, bytes: usize) -> io::Result<Self> {
        let numbers = name.split(' ').map(|number| number.parse().ok());
        let numbers: Option<Vec<u64>> = numbers.collect();
        let [process, descriptor, device, inode] = numbers.unwrap_or_default()[..] else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let path = format!("/proc/{process}/fd/{descriptor}");
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        // In a container it may be of another process.
        if identity(&file)? != [device, inode] || file.metadata()?.len() != bytes as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self { map: MmapRaw::map_raw(&file)?, file })
    }

    /// Where these bytes are in it, if they are.
    pub(crate) fn place_of(&self, bytes: &[u8]) -> Option<Place> {
        let offset = bytes.as_ptr().addr().checked_sub(self.map.as_ptr().addr())?;
        let place = Place { offset, len: bytes.len() };
        self.has(place).then_some(place)
    }

    fn has(&self, Place { offset, len }: Place) -> bool {
        offset.checked_add(len).is_some_and(|end| end <= self.map.len())
    }

    /// Writes to `target` what another process has written to a place in the memory, unless it is the same; `None` if there is no such place.
    pub(crate) fn read(&self, place: Place, target: &mut [u8]) -> Option<()> {
        if !self.has(place) || place.len != target.len() {
            return None;
        }
        // SAFETY: the place is within the memory, which stays where it is.
        let source = unsafe { self.map.as_ptr().add(place.offset) };
        if !std::ptr::eq(source, target.as_ptr()) {
            // SAFETY: both have so many bytes. Whoever has sent the message does not write to its place until it knows that it was received.
            unsafe { std::ptr::copy(source, target.as_mut_ptr(), place.len) };
        }
        Some(())
    }

    /// The memory, for one owner.
    fn memory(self: &Arc<Self>) -> Option<SharedMemory> {
        let start = NonNull::new(self.map.as_mut_ptr())?;
        // SAFETY: the memory is mapped as long as the region is there, to the beginning of a page, and has the zeros that were written to it, or what
        // other processes have. This is called once, and `read` copies only what no process writes to. The processes agree whose turn it is: each
        // writes to what is its own, and lends it when it is written; the others use it after they have received that, and send a message when they are
        // done (`chainrule_train::Group::share`).
        Some(unsafe { SharedMemory::new(start, self.map.len(), Arc::clone(self) as _) })
    }
}

/// The device and the number of a file, which no other one has.
#[cfg(unix)]
fn identity(file: &File) -> io::Result<[u64; 2]> {
    use std::os::unix::fs::MetadataExt;
    file.metadata().map(|metadata| [metadata.dev(), metadata.ino()])
}

#[cfg(not(unix))]
fn identity(_: &File) -> io::Result<[u64; 2]> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn descriptor(file: &File) -> i32 {
    use std::os::fd::AsRawFd;
    file.as_raw_fd()
}

#[cfg(not(unix))]
fn descriptor(_: &File) -> i32 {
    -1
}

/// Writes so many zeros, so that the system has the memory, or says that it has not.
fn fill(mut file: &File, bytes: usize) -> io::Result<()> {
    let zeros = vec![0; BLOCK.min(bytes)];
    let mut rest = bytes;
    while rest > 0 {
        let some = rest.min(zeros.len());
        file.write_all(&zeros[..some])?;
        rest -= some;
    }
    Ok(())
}

impl MpiGroup {
    /// Makes memory that the processes of this machine share, and notes it; `None` if there is no other one, or if one of them cannot have it.
    pub(crate) fn share_memory(&self, bytes: usize) -> Result<Option<SharedMemory>, GroupError> {
        *self.region() = None;
        let (Some(&first), true) = (self.neighbours.first(), self.neighbours.len() > 1) else {
            return Ok(None);
        };
        let others = || self.neighbours.iter().copied().filter(|&rank| rank != self.rank);
        let region = if self.rank == first {
            let created = Region::create(bytes).and_then(|region| Ok((region.name()?, region))).ok();
            let name = created.as_ref().map_or("", |(name, _)| name);
            others().try_for_each(|rank| self.tell(rank, name.as_bytes()))?;
            let mut are_open = created.is_some();
            others().try_for_each(|rank| {
                are_open &= self.hear(rank)? == [1];
                Ok(())
            })?;
            others().try_for_each(|rank| self.tell(rank, &[are_open.into()]))?;
            created.filter(|_| are_open).map(|(_, region)| region)
        } else {
            let name = self.hear(first)?;
            let opened = std::str::from_utf8(&name).ok().and_then(|name| Region::open(name, bytes).ok());
            self.tell(first, &[opened.is_some().into()])?;
            let are_open = self.hear(first)? == [1];
            opened.filter(|_| are_open)
        };
        let region = region.map(Arc::new);
        let memory = region.as_ref().and_then(Region::memory);
        *self.region() = region;
        Ok(memory)
    }

    fn tell(&self, rank: usize, message: &[u8]) -> Result<(), GroupError> {
        use chainrule_train::Group;
        self.send(rank, KIND, message)
    }

    fn hear(&self, rank: usize) -> Result<Vec<u8>, GroupError> {
        use chainrule_train::Group;
        let mut message = Vec::new();
        match self.receive(rank, &mut message)? {
            KIND => Ok(message),
            _ => Err(GroupError::Transport {
                rank,
                message: "it does not share its memory, as this process does".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use chainrule_tensor::Buffer;

    use super::*;

    #[test]
    fn two_maps_of_a_file_are_one_memory() {
        let Ok(first) = Region::create(200_000) else {
            return eprintln!("skipped: there is no {DIRECTORY} to write to");
        };
        let name = first.name().unwrap();
        let wrong = [name.clone() + "1", "1 2 3".into(), String::new()];
        assert!(
            Region::open(&name, 100).is_err()
                && wrong.iter().all(|name| Region::open(name, 200_000).is_err())
        );
        let second = Region::open(&name, 200_000).unwrap();
        let (first, second) = (Arc::new(first), Arc::new(second));
        let mut a = Buffer::<f32>::in_shared(first.memory().unwrap(), 50_000);
        let mut b = Buffer::<f32>::in_shared(second.memory().unwrap(), 50_000);
        a[7] = 3.0;
        assert_eq!(b[7], 3.0);
        let place = first.place_of(chainrule_tensor::bytes_of(&a[4..8])).unwrap();
        let place = Place::of(&place.bytes()).unwrap();
        assert_eq!((place, Place::of(&[0; 15])), (Place { offset: 16, len: 16 }, None));
        // Where it is, and elsewhere.
        let mut copy = [0.0_f32; 4];
        second.read(place, chainrule_tensor::bytes_mut(&mut b[4..8])).unwrap();
        second.read(place, chainrule_tensor::bytes_mut(&mut copy)).unwrap();
        assert_eq!((b[7], copy[3]), (3.0, 3.0));
        assert!(second.read(place, &mut [0; 15]).is_none());
        assert!(second.read(Place { offset: 199_999, len: 2 }, &mut [0; 2]).is_none());
        assert!(second.read(Place { offset: usize::MAX, len: 2 }, &mut [0; 2]).is_none());
        assert_eq!(first.place_of(&[1, 2]), None);
    }
}
