//! The processes of an MPI job as a group.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chainrule_train::{Group, GroupError, TrainError};

use crate::mailbox::{Mailbox, NoMessage};
use crate::service::{Begun, Command, LONGEST, run};
use crate::spare::Spare;

/// For how long a process waits for a message of another one, unless it was told otherwise.
const PATIENCE: Duration = Duration::from_secs(300);

/// For how long a process leaves it to another one to say what is wrong.
const POLITE: Duration = Duration::from_secs(5);

/// For how long it does, times its rank, where others may have the same error.
const BRIEF: Duration = Duration::from_secs(1);

/// The status of a job that has failed.
const FAILED: i32 = 1;

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
/// group waits for a message. While it panics, it ends the job instead.
pub struct MpiGroup {
    rank: usize,
    size: usize,
    library: String,
    patience: Duration,
    mailbox: Arc<Mailbox>,
    spare: Arc<Spare>,
    commands: Mutex<Sender<Command>>,
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
    /// The MPI allows no threads at all.
    #[error(
        "this MPI allows a program no threads (MPI_THREAD_FUNNELED): use one that was built with support for threads"
    )]
    NoThreads,
    /// The thread that calls MPI could not be started, or has ended at once.
    #[error("the thread that calls MPI cannot be started")]
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
        let Begun { rank, mailbox, spare, processes, library } =
            beginning.recv().map_err(|_| MpiError::Thread(None))??;
        Ok(Self {
            rank,
            size: processes,
            library,
            patience: PATIENCE,
            mailbox,
            spare,
            commands: Mutex::new(commands),
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
            Some(TrainError::Group(
                GroupError::Differ(_) | GroupError::FewShards { .. } | GroupError::Unsupported { .. },
            )) => self.rank > 0,
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
        self.command(Command::Abort(status));
        // MPI ends this process, if it can.
        thread::sleep(POLITE);
        std::process::exit(status)
    }

    fn command(&self, command: Command) -> bool {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).send(command).is_ok()
    }
}

impl Group for MpiGroup {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn send(&self, to: usize, message: &[u8]) -> Result<(), GroupError> {
        self.spare.give(self.send_away(to, self.spare.copy_of(message))?);
        Ok(())
    }

    fn send_away(&self, to: usize, message: Vec<u8>) -> Result<Vec<u8>, GroupError> {
        let failed = |message: String| GroupError::Transport { rank: to, message };
        if message.len() > LONGEST {
            return Err(failed(format!("a message of {} bytes is longer than MPI can count", message.len())));
        }
        let sent = self.command(Command::Send(to, message));
        if sent { Ok(self.spare.take()) } else { Err(failed("the thread that calls MPI has ended".into())) }
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<(), GroupError> {
        let look = || {
            self.command(Command::Look);
        };
        let arrived = self.mailbox.take(from, self.patience, look).map_err(|error| match error {
            NoMessage::Late => GroupError::Silent { rank: from, seconds: self.patience.as_secs() },
            NoMessage::Closed(message) => GroupError::Transport { rank: from, message },
        })?;
        self.spare.give(std::mem::replace(message, arrived));
        Ok(())
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
        self.command(Command::Finish);
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
