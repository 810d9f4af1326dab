//! A data set whose samples are read by threads of their own, ahead of those that train.

use std::fmt::{self, Debug};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::thread::{self, JoinHandle};

use chainrule_tensor::{Real, Shape, SparseMatrix, prefetch};

use crate::{Dataset, Samples};

/// How many samples are read ahead at least, unless they take more memory than [`FEW`] bytes.
const MANY: usize = 256;

/// The bytes that may always be read ahead.
const FEW: usize = 16 << 20;

/// The most bytes of a row that are prefetched: a page. CPUs foresee the rest of a long row once it is read.
const PREFETCHED: usize = 4096;

/// How often a thread looks whether a sample is there, before it sleeps until it is.
const LOOKS: usize = 1000;

/// Another data set, whose samples are read by threads of its own before a training takes them: for samples that take long to read, such
/// as pictures that are [changed](crate::augment) or are in a file, where cores are idle.
///
/// A trainer announces the order of an epoch ([`Dataset::announce`]); the threads follow it, two batches ahead, or 256 samples as far as
/// 16 MiB hold them, and what is not there yet is read by the thread that needs it. A sample that is
/// there costs about a microsecond. Where samples take longer to read than to train on, all threads read, and the training
/// waits. A sample is what it is whoever has read it, so a
/// training has the same bits with any number of threads. It keeps twice as many samples as it reads ahead: those of four batches, or
/// up to 32 MiB. In a group of processes, and of sparse samples, nothing is read ahead.
///
/// It has to be the outermost data set: others around it do not pass on what is announced, unless their samples have the same order.
///
/// ```
/// use chainrule_data::augment::{Augmented, RandomAffine};
/// use chainrule_data::{ReadAhead, Samples, digits};
/// use chainrule_tensor::Seed;
///
/// let turned = Augmented::new(digits(100, Seed(1)), 7)?.with(RandomAffine::new().rotate(10.0))?;
/// let train = ReadAhead::<f32, _>::new(turned, 1); // trainer.fit(&train, 5)?;
/// let mut row = vec![0.0; 784];
/// train.read(3, &mut row);
/// # Ok::<(), chainrule_data::augment::AugmentError>(())
/// ```
pub struct ReadAhead<T, D: Dataset> {
    shared: Arc<Shared<T, D>>,
    threads: Vec<JoinHandle<()>>,
}

/// What those who read ahead and those who take share.
struct Shared<T, D: Dataset> {
    data: D,
    /// Who reads has it for reading, who changes the order for writing: then no thread reads.
    window: RwLock<Window<T, D::Target>>,
    /// The position in the order up to which samples were taken.
    taken: AtomicUsize,
    queue: Mutex<Queue>,
    /// The queue is longer, or ended.
    longer: Condvar,
}

/// The order of an epoch, and samples of a part of it.
struct Window<T, Y> {
    /// How often the order was changed.
    version: u64,
    order: Vec<u32>,
    /// The position of each sample in the order; `u32::MAX` if it is not in it.
    positions: Vec<u32>,
    /// The sample at a position is in the slot with this index, modulo their number.
    slots: Vec<Mutex<Slot<T, Y>>>,
}

/// A sample that was read.
struct Slot<T, Y> {
    /// Its position in the order; `None` if there is none.
    position: Option<usize>,
    row: Vec<T>,
    target: Option<Y>,
}

/// What is to be read ahead.
#[derive(Debug, Default)]
struct Queue {
    /// Of which order.
    version: u64,
    /// The position of the next sample.
    next: usize,
    /// The length of the order.
    end: usize,
    /// How far ahead of those that were taken.
    ahead: usize,
    /// How many threads wait.
    waiting: usize,
    closed: bool,
}

impl Queue {
    /// The position that is to be read next, which is no longer in the queue then; `None` if it is as far ahead as it may be.
    fn claim(&mut self, taken: usize) -> Option<usize> {
        // What was taken in the meantime is not read again.
        self.next = self.next.max(taken);
        let is_due = self.next < self.end.min(taken.saturating_add(self.ahead));
        is_due.then(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

fn locked<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Real, D: Samples<T, Target: 'static> + Send + 'static> ReadAhead<T, D> {
    /// The same samples, read ahead by so many threads. With none, or if the system has no more, each is read where it is taken.
    pub fn new(data: D, threads: usize) -> Self {
        let positions = vec![u32::MAX; data.len()];
        let window = Window { version: 0, order: Vec::new(), positions, slots: Vec::new() };
        let shared = Arc::new(Shared {
            data,
            window: RwLock::new(window),
            taken: AtomicUsize::new(0),
            queue: Mutex::default(),
            longer: Condvar::new(),
        });
        let start = |_| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("read ahead".into()).spawn(move || shared.read_ahead()).ok()
        };
        let threads = (0..threads).map_while(start).collect();
        Self { shared, threads }
    }
}

impl<T, D: Dataset + Debug> Debug for ReadAhead<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shared, threads } = self;
        f.debug_struct("ReadAhead").field("data", &shared.data).field("threads", &threads.len()).finish()
    }
}

impl<T, D: Dataset> Drop for ReadAhead<T, D> {
    fn drop(&mut self) {
        locked(&self.shared.queue).closed = true;
        self.shared.longer.notify_all();
        for thread in self.threads.drain(..) {
            // One that panicked did so in the data set, which the thread that needed the sample was told.
            let _ = thread.join();
        }
    }
}

impl<T: Real, D: Samples<T>> Shared<T, D> {
    /// Reads what is in the queue until it is closed.
    fn read_ahead(&self) {
        while let Some((version, position)) = self.next() {
            let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
            if window.version != version {
                continue;
            }
            let mut slot = locked(&window.slots[position % window.slots.len()]);
            // Who needs it may have been faster.
            if slot.position.is_none_or(|there| there < position) {
                self.fill(&mut slot, position, window.order[position]);
            }
        }
    }

    /// The position that is to be read next, with the version of the order; waits for it.
    fn next(&self) -> Option<(u64, usize)> {
        let mut queue = locked(&self.queue);
        loop {
            if queue.closed {
                return None;
            }
            if let Some(position) = queue.claim(self.taken.load(Ordering::Relaxed)) {
                return Some((queue.version, position));
            }
            queue.waiting += 1;
            queue = self.longer.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.waiting -= 1;
        }
    }

    /// Reads the sample that would be read ahead next, for a thread that would have to wait. `false` if there is none.
    fn read_next(&self, window: &Window<T, D::Target>) -> bool {
        let claimed = locked(&self.queue).claim(self.taken.load(Ordering::Relaxed));
        let Some(position) = claimed else { return false };
        if let Some(mut slot) = window.try_slot(position)
            && slot.position.is_none_or(|there| there < position)
        {
            self.fill(&mut slot, position, window.order[position]);
        }
        true
    }

    /// Reads the sample of this position.
    fn fill(&self, slot: &mut Slot<T, D::Target>, position: usize, sample: u32) {
        slot.position = None;
        slot.target = Some(self.data.read(sample as usize, &mut slot.row));
        slot.position = Some(position);
    }

    /// What `take` makes of the values of a sample and its target, if it is among those that are read ahead.
    fn take(&self, index: usize, take: impl FnOnce(&[T])) -> Option<D::Target> {
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        let position = window.position(index)?;
        let taken = self.taken.load(Ordering::Relaxed);
        // One that is read out of order, as an audit does, is none of the window.
        if position >= taken.saturating_add(window.slots.len()) {
            return None;
        }
        let mut slot = loop {
            match window.try_slot(position) {
                Some(slot) => break slot,
                // While another thread reads it, this one reads what comes next: else it would wait for each sample where reading takes
                // longer than training.
                None if self.read_next(&window) => {}
                None => break window.slot(position),
            }
        };
        if slot.position.is_some_and(|there| there > position) {
            return None;
        }
        if slot.position != Some(position) {
            self.fill(&mut slot, position, index as u32);
        }
        take(&slot.row);
        let target = slot.target.clone();
        drop(slot);
        if position >= taken {
            self.taken.fetch_max(position + 1, Ordering::Relaxed);
            self.wake();
        }
        target
    }

    /// Wakes those who wait for a longer queue, once there is something for them to do.
    fn wake(&self) {
        // If it is locked, whoever has it may have looked before: then the next sample that is taken wakes them.
        let Ok(queue) = self.queue.try_lock() else { return };
        let taken = self.taken.load(Ordering::Relaxed);
        let can_go_on = queue.next < queue.end.min(taken.saturating_add(queue.ahead / 2).max(1));
        if queue.waiting > 0 && can_go_on {
            drop(queue);
            self.longer.notify_all();
        }
    }
}

impl<T, Y> Window<T, Y> {
    /// The position of a sample in the order, if it has one.
    fn position(&self, index: usize) -> Option<usize> {
        let position = *self.positions.get(index)?;
        (position != u32::MAX).then_some(position as usize)
    }

    /// The slot of a position, unless another thread has it.
    fn try_slot(&self, position: usize) -> Option<MutexGuard<'_, Slot<T, Y>>> {
        match self.slots[position % self.slots.len()].try_lock() {
            Ok(slot) => Some(slot),
            Err(TryLockError::Poisoned(slot)) => Some(slot.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The slot of a position. It is locked for the time of a reading at most.
    fn slot(&self, position: usize) -> MutexGuard<'_, Slot<T, Y>> {
        for _ in 0..LOOKS {
            if let Some(slot) = self.try_slot(position) {
                return slot;
            }
            std::hint::spin_loop();
        }
        locked(&self.slots[position % self.slots.len()])
    }
}

impl<T: Real, D: Samples<T> + Send> Dataset for ReadAhead<T, D> {
    type Target = D::Target;

    fn len(&self) -> usize {
        self.shared.data.len()
    }

    fn shape(&self) -> Shape {
        self.shared.data.shape()
    }

    fn classes(&self) -> Option<usize> {
        self.shared.data.classes()
    }

    fn stored_values(&self, rows: usize) -> Option<usize> {
        self.shared.data.stored_values(rows)
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        let Ok(window) = self.shared.window.try_read() else { return };
        let Some(position) = window.position(index) else { return self.shared.data.prefetch(index, columns) };
        if window.slots.is_empty() {
            return;
        }
        let Ok(slot) = window.slots[position % window.slots.len()].try_lock() else { return };
        let len = columns.len().min(PREFETCHED / size_of::<T>());
        if let (Some(there), Some(values)) = (slot.position, slot.row.get(columns.start..columns.start + len))
            && there == position
        {
            prefetch(values);
        }
    }

    fn enter_epoch(&self, epoch: u64) {
        // What was read belongs to another epoch.
        self.announce(&[], 0);
        self.shared.data.enter_epoch(epoch);
    }

    fn announce(&self, order: &[u32], batch: usize) {
        let Shared { window, taken, queue, longer, data } = &*self.shared;
        let mut window = window.write().unwrap_or_else(PoisonError::into_inner);
        let window = &mut *window;
        window.version += 1;
        window.order.iter().for_each(|&sample| window.positions[sample as usize] = u32::MAX);
        window.order.clear();
        let is_read = !self.threads.is_empty() && data.stored_values(1).is_none();
        if is_read && u32::try_from(order.len()).is_ok() {
            let known =
                order.iter().copied().take_while(|&sample| (sample as usize) < window.positions.len());
            window.order.extend(known);
            let positions = window.order.iter().zip(0..);
            positions.for_each(|(&sample, position)| window.positions[sample as usize] = position);
        }
        let size = data.shape().size();
        let ahead = batch.saturating_mul(2).max(MANY.min(FEW / (size * size_of::<T>()).max(1)).max(1));
        if !window.order.is_empty() {
            let empty = || Mutex::new(Slot { position: None, row: vec![T::zero(); size], target: None });
            window.slots.resize_with((2 * ahead).min(2 * window.order.len()), empty);
        }
        for slot in &mut window.slots {
            slot.get_mut().unwrap_or_else(PoisonError::into_inner).position = None;
        }
        taken.store(0, Ordering::Relaxed);
        let mut queue = locked(queue);
        (queue.version, queue.next, queue.end, queue.ahead) = (window.version, 0, window.order.len(), ahead);
        drop(queue);
        longer.notify_all();
    }

    fn failure(&self) -> Option<String> {
        self.shared.data.failure()
    }
}

impl<T: Real, D: Samples<T> + Send> Samples<T> for ReadAhead<T, D> {
    fn read(&self, index: usize, row: &mut [T]) -> Self::Target {
        match self.shared.take(index, |values| row.copy_from_slice(values)) {
            Some(target) => target,
            None => self.shared.data.read(index, row),
        }
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], row: &mut [T]) -> Self::Target {
        match self.shared.take(index, |values| part.copy_from_slice(&values[columns.clone()])) {
            Some(target) => target,
            None => self.shared.data.read_part(index, columns, part, row),
        }
    }

    fn read_sparse(&self, index: usize, x: &mut SparseMatrix<T>) -> Self::Target {
        self.shared.data.read_sparse(index, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Augmented, Noise};
    use crate::{Batches, Images, digits};
    use chainrule_tensor::Seed;
    use std::time::{Duration, Instant};

    fn noisy(data: &Arc<Images>) -> Augmented<Arc<Images>> {
        Augmented::new(Arc::clone(data), 3).unwrap().with(Noise(0.1)).unwrap()
    }

    /// All samples of some epochs in their order, and what is read out of it.
    fn read(data: &impl Samples<f32, Target = u8>, announced: bool, batch: usize) -> Vec<(u8, Vec<f32>)> {
        let mut batches = Batches::new(data.len(), batch, Some(Seed(5))).unwrap();
        let mut found = Vec::new();
        let one = |index: usize| {
            let mut row = vec![0.0; 784];
            (data.read(index, &mut row), row)
        };
        for (epoch, done) in [(0, 0), (1, 0), (2, 64), (2, 0)] {
            batches.epoch(epoch);
            data.enter_epoch(epoch);
            if announced {
                data.announce(batches.order(done), batch);
            }
            found.push(one(7));
            for samples in batches.rest(done) {
                // Backwards, as another thread might.
                found.extend(samples.iter().rev().map(|&sample| one(sample as usize)));
                found.push(one(299));
                let (mut part, mut row) = (vec![0.0; 100], vec![0.0; 784]);
                let target = data.read_part(samples[0] as usize, 200..300, &mut part, &mut row);
                found.push((target, part));
            }
        }
        found
    }

    #[test]
    fn samples_are_the_same_whoever_reads_them() {
        let data = Arc::new(digits(300, Seed(1)));
        let right = read(&noisy(&data), false, 32);
        assert_eq!(right.len(), 4 + 300 * 3 + 236 + (10 * 3 + 8) * 2);
        for threads in [0, 1, 3] {
            for batch in [1, 32, 300, 1000] {
                let same = read(&noisy(&data), false, batch);
                assert_eq!(read(&ReadAhead::<f32, _>::new(noisy(&data), threads), true, batch), same);
            }
            assert_eq!(read(&ReadAhead::<f32, _>::new(noisy(&data), threads), false, 32), right);
        }
    }

    /// Counts who has read, and takes its time to do so.
    struct Counting {
        by: Mutex<Vec<thread::ThreadId>>,
        each: Duration,
    }

    impl Counting {
        fn new(each: Duration) -> Arc<Self> {
            Arc::new(Self { by: Mutex::default(), each })
        }
    }

    impl Dataset for Counting {
        type Target = u8;
        fn len(&self) -> usize {
            1000
        }
        fn shape(&self) -> Shape {
            Shape::from([1])
        }
    }

    impl Samples<f32> for Counting {
        fn read(&self, index: usize, row: &mut [f32]) -> u8 {
            thread::sleep(self.each);
            row[0] = index as f32;
            locked(&self.by).push(thread::current().id());
            0
        }
    }

    #[test]
    fn others_read_no_more_than_is_needed() {
        let data = Counting::new(Duration::ZERO);
        let ahead = ReadAhead::<f32, _>::new(Arc::clone(&data), 2);
        let order: Vec<u32> = (0..1000).rev().collect();
        ahead.enter_epoch(0);
        ahead.announce(&order, 10);
        let count = || locked(&data.by).len();
        let waited = Instant::now();
        while count() < MANY && waited.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(20));
        assert_eq!(count(), MANY);
        let mut row = [0.0];
        for &sample in &order {
            ahead.read(sample as usize, &mut row);
            assert_eq!(row, [sample as f32]);
        }
        let by = locked(&data.by);
        let own = by.iter().filter(|id| **id == thread::current().id()).count();
        assert!(by.len() == 1000 && own <= 1000 - MANY, "{} reads, {own} of them here", by.len());
    }

    #[test]
    fn a_thread_that_would_wait_reads_what_comes_next() {
        const SAMPLES: u32 = 200;
        let data = Counting::new(Duration::from_millis(1));
        let ahead = ReadAhead::<f32, _>::new(Arc::clone(&data), 1);
        let order: Vec<u32> = (0..SAMPLES).collect();
        ahead.enter_epoch(0);
        ahead.announce(&order, 10);
        let mut row = [0.0];
        for sample in order {
            ahead.read(sample as usize, &mut row);
            assert_eq!(row, [sample as f32]);
        }
        let by = locked(&data.by);
        let own = by.iter().filter(|id| **id == thread::current().id()).count();
        // Half of them; without that it would wait for each, and read none.
        assert!(by.len() == SAMPLES as usize && own > by.len() / 5, "{} reads, {own} of them here", by.len());
    }
}
