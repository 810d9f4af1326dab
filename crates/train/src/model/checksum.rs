//! The SHA-256 of what is written or read, computed beside it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use sha2::{Digest, Sha256};

/// The number of bytes up to which there is no thread for them.
const ALONE: u64 = 1 << 20;

/// The number of bytes that go to the thread at once.
const BLOCK: usize = 1 << 18;

/// The most blocks between the threads.
const BLOCKS: usize = 4;

/// The checksum of bytes that come in parts. Where they are many, a thread computes it while the caller writes or reads.
pub(super) struct Checksum {
    length: u64,
    here: Sha256,
    /// Bytes that do not make a block yet.
    block: Vec<u8>,
    worker: Option<Worker>,
    can_spawn: bool,
}

struct Worker {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    thread: JoinHandle<Sha256>,
}

impl Checksum {
    pub(super) fn new() -> Self {
        Self { length: 0, here: Sha256::new(), block: Vec::new(), worker: None, can_spawn: true }
    }

    /// The number of bytes up to now.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.length > ALONE && self.worker.is_none() && self.can_spawn {
            self.worker = Worker::start(&self.here);
            // A system without another thread has the checksum computed here.
            self.can_spawn = self.worker.is_some();
        }
        let Some(worker) = &self.worker else { return self.here.update(bytes) };
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK {
                worker.swap(&mut self.block);
            }
        }
    }

    pub(super) fn finish(self) -> [u8; 32] {
        let Self { mut here, mut block, worker, .. } = self;
        if let Some(worker) = worker {
            worker.swap(&mut block);
            here = worker.finish();
        }
        here.finalize().into()
    }
}

impl Worker {
    /// A thread that goes on with this checksum; `None` if the system has none.
    fn start(begun: &Sha256) -> Option<Self> {
        let (full, blocks) = sync_channel::<Vec<u8>>(BLOCKS);
        let (done, empty) = sync_channel(BLOCKS);
        let mut hash = begun.clone();
        let work = move || {
            for mut block in blocks {
                hash.update(&block);
                block.clear();
                // The caller may have ended.
                let _ = done.send(block);
            }
            hash
        };
        let thread = Builder::new().name("checksum".into()).spawn(work).ok()?;
        (0..BLOCKS).try_for_each(|_| full.try_send(Vec::new())).ok()?;
        Some(Self { full, empty, thread })
    }

    /// Hands over a block, for an empty one.
    fn swap(&self, block: &mut Vec<u8>) {
        let sent = self.full.send(std::mem::take(block));
        *block = sent.ok().and_then(|()| self.empty.recv().ok()).expect(RUNS);
    }

    fn finish(self) -> Sha256 {
        let Self { full, thread, .. } = self;
        drop(full);
        thread.join().expect(RUNS)
    }
}

const RUNS: &str = "the thread ends when it has no more blocks, and does not panic";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_bytes_in_one() {
        let bytes: Vec<u8> =
            (0..ALONE as usize + 9 * BLOCK + 7).map(|index| ((index * index) >> 3) as u8).collect();
        for length in [0, 5, ALONE as usize, ALONE as usize + 1, bytes.len()] {
            for part in [1 << 12, BLOCK, 3 * BLOCK + 1, bytes.len()] {
                let mut checksum = Checksum::new();
                bytes[..length].chunks(part).for_each(|part| checksum.update(part));
                assert_eq!(checksum.length(), length as u64);
                assert_eq!(checksum.worker.is_some(), length > ALONE as usize);
                assert_eq!(checksum.finish()[..], Sha256::digest(&bytes[..length])[..], "{length} by {part}");
            }
        }
    }

    #[test]
    fn a_checksum_that_is_given_up_ends_its_thread() {
        let mut checksum = Checksum::new();
        checksum.update(&vec![1; ALONE as usize + 10 * BLOCK]);
        let Worker { full, empty, thread } = checksum.worker.unwrap();
        drop((full, empty));
        assert!(thread.join().is_ok());
    }
}
