//! The thread that calls MPI.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use mpi::Threading;
use mpi::environment::Universe;
use mpi::point_to_point::Source;
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::Equivalence;

use crate::group::MpiError;
use crate::mailbox::Mailbox;
use crate::sending::Sending;
use crate::spare::Spare;

/// How often the thread looks for messages before it lets other threads run between looks.
const SPINS: u32 = 200;

/// How often it looks before it sleeps between looks.
const YIELDS: u32 = 2_000;

/// How long it sleeps between looks, unless it is given something to send.
const NAP: Duration = Duration::from_micros(50);

/// What the thread is told.
pub(crate) enum Command {
    /// Send a message to a process.
    Send(usize, Vec<u8>),
    /// End when all was sent.
    Finish,
    /// End the job with this status.
    Abort(i32),
}

/// What the thread has found when it begins.
pub(crate) struct Begun {
    pub(crate) rank: usize,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) spare: Arc<Spare>,
    pub(crate) processes: usize,
    /// The MPI that this program runs with.
    pub(crate) library: String,
}

/// Calls MPI, from its beginning to its end.
pub(crate) fn run(commands: &Receiver<Command>, begun: &Sender<Result<Begun, MpiError>>) {
    let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Funneled) else {
        let _ = begun.send(Err(MpiError::Twice));
        return;
    };
    if threading < Threading::Funneled {
        let _ = begun.send(Err(MpiError::NoThreads));
        return;
    }
    let world = universe.world();
    let (rank, processes) = (world.rank() as usize, world.size() as usize);
    let mailbox = Arc::new(Mailbox::new(processes));
    let spare = Arc::new(Spare::default());
    let _close = CloseOnDrop(mailbox.clone());
    let library = mpi::environment::library_version().unwrap_or_default();
    let library = library.lines().next().unwrap_or_default().trim().trim_end_matches('\0').to_owned();
    if begun
        .send(Ok(Begun { rank, mailbox: mailbox.clone(), spare: spare.clone(), processes, library }))
        .is_err()
    {
        return;
    }
    Service { world, mailbox, spare, sending: Vec::new() }.serve(commands);
    finish(universe);
}

/// Leaves MPI, which waits for the other processes.
fn finish(universe: Universe) {
    drop(universe);
}

struct CloseOnDrop(Arc<Mailbox>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close("the thread that calls MPI has ended");
    }
}

struct Service {
    world: SimpleCommunicator,
    mailbox: Arc<Mailbox>,
    spare: Arc<Spare>,
    sending: Vec<Sending>,
}

impl Service {
    /// Sends and receives until it is told to finish.
    fn serve(&mut self, commands: &Receiver<Command>) {
        let mut idle = 0;
        let mut is_over = false;
        loop {
            let mut worked = false;
            loop {
                // A thread that has nothing to do sleeps, until it is given something or for a moment.
                let next = match idle {
                    YIELDS.. => commands.recv_timeout(NAP),
                    _ => commands.try_recv().map_err(|error| match error {
                        std::sync::mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                        std::sync::mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                    }),
                };
                match next {
                    Ok(command) => is_over |= self.obey(command),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        is_over = true;
                        break;
                    }
                }
                worked = true;
                idle = 0;
            }
            worked |= self.receive();
            let before = self.sending.len();
            let spare = &self.spare;
            self.sending.retain_mut(|sending| sending.finish().map(|message| spare.give(message)).is_none());
            worked |= self.sending.len() < before;
            if is_over && self.sending.is_empty() {
                return;
            }
            idle = if worked { 0 } else { idle + 1 };
            match idle {
                0..SPINS => std::hint::spin_loop(),
                SPINS..YIELDS => thread::yield_now(),
                // After the last command there is none to wait for.
                _ if is_over => thread::sleep(NAP),
                _ => {}
            }
        }
    }

    /// Whether that was the last command.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Send(to, message) => {
                let to = self.world.process_at_rank(to as i32);
                self.sending.push(Sending::start(&to, message));
                false
            }
            Command::Finish => true,
            Command::Abort(status) => self.world.abort(status),
        }
    }

    /// Receives one message, if one has arrived.
    fn receive(&mut self) -> bool {
        let Some((arrived, status)) = self.world.any_process().immediate_matched_probe() else {
            return false;
        };
        let len = usize::try_from(status.count(u8::equivalent_datatype())).unwrap_or(0);
        let mut message = self.spare.of_len(len);
        arrived.matched_receive_into(&mut message[..]);
        self.mailbox.put(status.source_rank() as usize, message);
        true
    }
}

/// The longest message that MPI counts.
pub(crate) const LONGEST: usize = i32::MAX as usize;
