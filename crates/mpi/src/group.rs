//! The processes of an MPI job as a group.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chainrule_tensor::SharedMemory;
use chainrule_train::{Group, GroupError, Lending, TrainError};
use mpi::request;

use crate::loans::Loans;
use crate::port::{Arrived, Calls, Closed, LONGEST, Port, Tag};
use crate::service::{Begun, Command, run};
use crate::shared::{Place, Region};
use crate::spare::Spare;

/// For how long a process waits for a message of another one, unless it was told otherwise.
const PATIENCE: Duration = Duration::from_secs(300);

/// For how long a process leaves it to another one to say what is wrong.
const POLITE: Duration = Duration::from_secs(5);

/// For how long it does, times its rank, where others may have the same error.
pub(crate) const BRIEF: Duration = Duration::from_secs(1);

/// The status of a job that has failed.
pub(crate) const FAILED: i32 = 1;

/// How often a process looks for a message before it lets others run between looks.
const SPINS: u32 = 200;

/// How often it looks before it sleeps between looks.
const YIELDS: u32 = 2_000;

/// How long it sleeps between looks.
const NAP: Duration = Duration::from_micros(50);

/// The processes of an MPI job, one of which is this program: see [the crate](crate).
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::sync::Arc;
/// # use chainrule_core::Sequential;
/// # use chainrule_data::digits;
/// # use chainrule_layers::{Dense, Flatten};
/// # use chainrule_losses::CrossEntropy;
/// # use chainrule_optim::adam;
/// # use chainrule_tensor::Seed;
/// use chainrule_mpi::MpiGroup;
/// use chainrule_train::{Group, Model, TrainError, Trainer};
///
/// fn train(group: &Arc<MpiGroup>) -> Result<(), TrainError> {
///     # let data = digits(1000, Seed(1));
///     # let layers = Sequential::new().then(Flatten).then(Dense::new(10));
///     # let model = Model::new([28, 28], layers, Seed(0)).expect("the shapes fit");
///     let trainer = Trainer::new(model, CrossEntropy, adam(1e-3)).batch_size(64).shards(8);
///     let mut trainer = trainer.group(group.clone());
///     trainer.fit(&data, 5)?;
///     if group.rank() == 0 {
///         println!("{}", trainer.evaluated_model().parameters_sha256());
///     }
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     let group = match MpiGroup::start() {
///         Ok(group) => Arc::new(group),
///         Err(error) => {
///             eprintln!("error: {error}");
///             return ExitCode::FAILURE;
///         }
///     };
///     if let Err(error) = train(&group) {
///         group.abort_with(&error, || eprintln!("error: {error}"));
///     }
///     ExitCode::SUCCESS
/// }
/// ```
///
/// A program that is not started by `mpirun` or the like is alone in its group.
///
/// A process that drops its last place in the group has to be done with the job: MPI then waits for the other processes, as long as this
/// group waits for a message. While it panics, it ends the job instead. So does one whose memory MPI still uses, after another process has
/// stopped in the middle of a message, since it cannot return to a caller who owns that memory.
pub struct MpiGroup {
    pub(crate) rank: usize,
    size: usize,
    /// The processes of this machine, this one included.
    pub(crate) neighbours: Vec<usize>,
    /// The memory that they share.
    region: Mutex<Option<Arc<Region>>>,
    library: String,
    pub(crate) patience: Duration,
    pub(crate) port: Arc<Port>,
    spare: Arc<Spare>,
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
    /// Whether the job is stopped from outside.
    is_stopped: AtomicBool,
}

/// Why MPI cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MpiError {
    /// The program has used MPI before.
    #[error("MPI was started before in this program: start it once, and keep the group")]
    Twice,
    /// The MPI allows calls from one thread only.
    #[error(
        "this MPI allows calls from one thread only, not from several in turn (MPI_THREAD_SERIALIZED): use one that was built with support for threads"
    )]
    NoThreads,
    /// The thread that starts MPI could not be started, or has ended at once.
    #[error("the thread that starts MPI cannot be started")]
    Thread(#[source] Option<std::io::Error>),
}

impl MpiGroup {
    /// Joins the processes with which this program was started.
    ///
    /// # Errors
    ///
    /// [`MpiError`] if MPI was started before, or does not allow threads.
    pub fn start() -> Result<Self, MpiError> {
        let (commands, received) = channel();
        let (begun, beginning) = channel();
        let thread = thread::Builder::new().name("chainrule-mpi".into());
        let thread =
            thread.spawn(move || run(&received, &begun)).map_err(|error| MpiError::Thread(Some(error)))?;
        let Begun { rank, neighbours, port, spare, processes, library } =
            beginning.recv().map_err(|_| MpiError::Thread(None))??;
        Ok(Self {
            rank,
            size: processes,
            neighbours,
            region: Mutex::default(),
            library,
            patience: PATIENCE,
            port,
            spare,
            commands,
            thread: Some(thread),
            is_stopped: AtomicBool::new(false),
        })
    }

    /// Waits this long for a message of another process before that counts as hanging, and not five minutes. It has to be longer than the
    /// longest time for which a process does something else than training, such as writing a file.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The name and version of the MPI, as it states them.
    pub fn library(&self) -> &str {
        &self.library
    }

    /// The job is being stopped from outside, as by Ctrl-C, and all processes know it: when this process leaves the group, it waits for the
    /// others for a second only. An MPI that is about to end a job may not let its processes leave it in the usual way.
    pub fn stopped(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Ends all processes of the job, with a status that is not 0. One process alone calls `print`, which says why: that in which
    /// the error occurred or, if it is one of all, the first.
    pub fn abort_with(&self, error: &(dyn Error + 'static), print: impl FnOnce()) -> ! {
        let is_said = match error.downcast_ref() {
            // By the process that has failed.
            Some(TrainError::Group(GroupError::Failed { .. })) => true,
            // All have found the same.
            Some(TrainError::Group(GroupError::Differ(_) | GroupError::Unsupported { .. })) => self.rank > 0,
            _ => false,
        };
        if is_said {
            thread::sleep(POLITE);
        } else {
            thread::sleep(BRIEF * self.rank.min(4) as u32);
        }
        print();
        self.abort(FAILED)
    }

    /// Ends all processes of the job with this status.
    pub fn abort(&self, status: i32) -> ! {
        let begin = Instant::now();
        while begin.elapsed() < POLITE {
            if let Some(calls) = self.port.try_lock() {
                // MPI ends this process, if it can.
                calls.abort(status);
                break;
            }
            thread::sleep(NAP);
        }
        std::process::exit(status)
    }

    /// Looks until something has happened; an error if `from` is to do it and it takes longer than this.
    pub(crate) fn wait<R>(
        &self,
        from: usize,
        patience: Duration,
        mut look: impl FnMut(&mut Calls) -> Result<Option<R>, Closed>,
    ) -> Result<R, GroupError> {
        let begin = Instant::now();
        let mut looks = 0_u32;
        loop {
            let found = look(&mut self.port.lock()).map_err(|Closed| closed(from))?;
            if let Some(found) = found {
                return Ok(found);
            }
            match looks {
                0..SPINS => std::hint::spin_loop(),
                _ if begin.elapsed() > patience => {
                    return Err(GroupError::Silent { rank: from, seconds: patience.as_secs() });
                }
                SPINS..YIELDS => thread::yield_now(),
                _ => thread::sleep(NAP),
            }
            looks = looks.saturating_add(1);
        }
    }

    /// An error if a message is longer than MPI can count.
    pub(crate) fn check_length(&self, to: usize, bytes: usize) -> Result<(), GroupError> {
        if bytes <= LONGEST {
            return Ok(());
        }
        let message = format!(
            "a message of {bytes} bytes is longer than MPI can count: train in more processes, or with smaller passes (`accumulate`)"
        );
        Err(GroupError::Transport { rank: to, message })
    }

    /// Waits for the next message of a process.
    fn next(&self, from: usize) -> Result<Arrived, GroupError> {
        let mut is_first = true;
        self.wait(from, self.patience, |calls| {
            if std::mem::take(&mut is_first) {
                calls.advance(&self.spare);
            }
            calls.arrived(from)
        })
    }

    /// The memory that the processes of this machine share.
    pub(crate) fn region(&self) -> MutexGuard<'_, Option<Arc<Region>>> {
        self.region.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a message is in memory that this process shares with another one, if it does.
    pub(crate) fn place_for(&self, to: usize, message: &[u8]) -> Option<Place> {
        let region = self.region();
        let place = region.as_ref()?.place_of(message)?;
        self.neighbours.contains(&to).then_some(place)
    }

    /// Sends a message that says where the bytes are.
    pub(crate) fn send_place(&self, to: usize, kind: u8, place: Place) -> Result<(), GroupError> {
        // What was written is written before the other process knows of it.
        fence(Ordering::Release);
        let message = self.spare.copy_of(&place.bytes());
        let tag = Tag { kind, is_in_place: true };
        self.port.lock().send(to, tag, message).map_err(|Closed| closed(to))
    }

    /// Receives a message, whatever it is; returns its kind.
    fn take_message(&self, from: usize, arrived: Arrived, message: &mut Vec<u8>) -> Result<u8, GroupError> {
        let Tag { kind, is_in_place } = arrived.tag;
        if is_in_place {
            let place = self.take_place(from, arrived)?;
            self.read_message(from, place, message)?;
        } else {
            message.resize(arrived.len, 0);
            self.take(from, arrived, message);
        }
        Ok(kind)
    }

    /// Receives where the bytes of a message are.
    fn take_place(&self, from: usize, arrived: Arrived) -> Result<Place, GroupError> {
        let mut bytes = self.spare.take();
        bytes.resize(arrived.len, 0);
        self.take(from, arrived, &mut bytes);
        fence(Ordering::Acquire);
        let place = Place::of(&bytes);
        self.spare.give(bytes);
        place.ok_or_else(|| nowhere(from))
    }

    /// Reads a message whose bytes are in memory that is shared.
    fn read(&self, from: usize, place: Place, target: &mut [u8]) -> Result<(), GroupError> {
        let region = self.region().clone();
        region.and_then(|region| region.read(place, target)).ok_or_else(|| nowhere(from))
    }

    /// As [`read`](Self::read), to the whole of `message`.
    fn read_message(&self, from: usize, place: Place, message: &mut Vec<u8>) -> Result<(), GroupError> {
        message.clear();
        message.try_reserve(place.len).map_err(|_| nowhere(from))?;
        message.resize(place.len, 0);
        self.read(from, place, message)
    }

    /// Receives a message of as many bytes as `place` has.
    fn take(&self, from: usize, arrived: Arrived, place: &mut [u8]) {
        request::scope(|scope| {
            let calls = self.port.lock();
            let mut request = Some(arrived.message.immediate_matched_receive_into(scope, place));
            drop(calls);
            let received = self.wait(from, self.patience, |_| {
                let Some(pending) = request.take() else { return Ok(None) };
                match pending.test() {
                    Ok(_) => Ok(Some(())),
                    Err(pending) => {
                        request = Some(pending);
                        Ok(None)
                    }
                }
            });
            if let Err(error) = received {
                // MPI may still write to the memory, which the caller is going to use.
                let error = TrainError::from(error);
                self.abort_with(&error, || eprintln!("error: {error}"));
            }
        });
    }
}

pub(crate) fn closed(rank: usize) -> GroupError {
    GroupError::Transport { rank, message: "this process has left MPI".into() }
}

/// A message says that it is where no memory is shared.
fn nowhere(rank: usize) -> GroupError {
    GroupError::Transport {
        rank,
        message: "its message is in memory that this process does not share".into(),
    }
}

impl Group for MpiGroup {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn send(&self, to: usize, kind: u8, message: &[u8]) -> Result<(), GroupError> {
        self.spare.give(self.send_away(to, kind, self.spare.copy_of(message))?);
        Ok(())
    }

    fn send_away(&self, to: usize, kind: u8, message: Vec<u8>) -> Result<Vec<u8>, GroupError> {
        self.check_length(to, message.len())?;
        self.port.lock().send(to, Tag::of(kind), message).map_err(|Closed| closed(to))?;
        Ok(self.spare.take())
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<u8, GroupError> {
        let arrived = self.next(from)?;
        self.take_message(from, arrived, message)
    }

    fn receive_into(
        &self,
        from: usize,
        kind: u8,
        place: &mut [u8],
        message: &mut Vec<u8>,
    ) -> Result<Option<u8>, GroupError> {
        let arrived = self.next(from)?;
        let Tag { kind: found, is_in_place } = arrived.tag;
        if is_in_place {
            let source = self.take_place(from, arrived)?;
            if found == kind && source.len == place.len() {
                return self.read(from, source, place).map(|()| None);
            }
            return self.read_message(from, source, message).map(|()| Some(found));
        }
        if found == kind && arrived.len == place.len() {
            self.take(from, arrived, place);
            return Ok(None);
        }
        self.take_message(from, arrived, message).map(Some)
    }

    fn share(&self, bytes: usize) -> Result<Option<SharedMemory>, GroupError> {
        self.share_memory(bytes)
    }

    fn lend<'env>(&self, work: Lending<'_, 'env>) -> Result<(), GroupError> {
        Loans::run(self, work)
    }
}

impl fmt::Debug for MpiGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rank, size, library, patience, .. } = self;
        f.debug_struct("MpiGroup")
            .field("rank", rank)
            .field("size", size)
            .field("library", library)
            .field("patience", patience)
            .finish()
    }
}

impl Drop for MpiGroup {
    fn drop(&mut self) {
        if thread::panicking() {
            // The others would wait for this process.
            self.abort(FAILED);
        }
        let _ = self.commands.send(Command::Finish);
        let Some(thread) = self.thread.take() else { return };
        let limit = if self.is_stopped.load(Ordering::Relaxed) { BRIEF } else { self.patience };
        let begin = Instant::now();
        while !thread.is_finished() {
            if begin.elapsed() > limit {
                // It ends with the process.
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let _ = thread.join();
    }
}
