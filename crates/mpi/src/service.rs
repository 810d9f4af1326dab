//! The thread that starts MPI and leaves it, and lets messages travel while the others compute.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use mpi::Threading;
use mpi::collective::{CommunicatorCollectives, Root};
use mpi::environment::Universe;
use mpi::topology::{Communicator, SimpleCommunicator};

use crate::group::MpiError;
use crate::port::Port;
use crate::spare::Spare;

/// How often the thread lets messages travel that are on their way. Each time takes the core from the thread that computes, if there is no
/// other.
const LOOK: Duration = Duration::from_micros(200);

/// How often it does otherwise.
const SLEEP: Duration = Duration::from_millis(1);

/// What the thread has found when it begins.
pub(crate) struct Begun {
    pub(crate) rank: usize,
    /// The processes of this machine, this one included.
    pub(crate) neighbours: Vec<usize>,
    pub(crate) port: Arc<Port>,
    pub(crate) spare: Arc<Spare>,
    pub(crate) processes: usize,
    /// The MPI that this program runs with.
    pub(crate) library: String,
}

/// What the thread is told.
pub(crate) enum Command {
    /// End when all was sent.
    Finish,
}

/// Uses MPI, from its beginning to its end.
pub(crate) fn run(commands: &Receiver<Command>, begun: &Sender<Result<Begun, MpiError>>) {
    let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Serialized) else {
        let _ = begun.send(Err(MpiError::Twice));
        return;
    };
    if threading < Threading::Serialized {
        let _ = begun.send(Err(MpiError::NoThreads));
        return;
    }
    let world = universe.world();
    let (rank, processes) = (world.rank() as usize, world.size() as usize);
    let neighbours = neighbours(&world);
    let port = Arc::new(Port::new(world));
    let spare = Arc::new(Spare::default());
    let _close = CloseOnDrop(port.clone());
    let library = mpi::environment::library_version().unwrap_or_default();
    let library = library.lines().next().unwrap_or_default().trim().trim_end_matches('\0').to_owned();
    if begun
        .send(Ok(Begun { rank, neighbours, port: port.clone(), spare: spare.clone(), processes, library }))
        .is_err()
    {
        return;
    }
    serve(commands, &port, &spare);
    port.lock().close();
    finish(universe);
}

/// The ranks of the processes that can share memory, as MPI finds them.
fn neighbours(world: &SimpleCommunicator) -> Vec<usize> {
    let machine = world.split_shared(world.rank());
    let mut first = world.rank();
    machine.process_at_rank(0).broadcast_into(&mut first);
    let mut firsts = vec![0; world.size() as usize];
    world.all_gather_into(&first, &mut firsts);
    (0..firsts.len()).filter(|&rank| firsts[rank] == first).collect()
}

/// Leaves MPI, which waits for the other processes.
fn finish(universe: Universe) {
    drop(universe);
}

struct CloseOnDrop(Arc<Port>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.lock().close();
    }
}

/// Lets messages travel until it is told to finish.
fn serve(commands: &Receiver<Command>, port: &Port, spare: &Spare) {
    let mut is_over = false;
    loop {
        // While another thread calls MPI, that lets them travel.
        let are_on_their_way = port.try_lock().is_none_or(|mut calls| calls.advance(spare));
        if is_over {
            if !are_on_their_way {
                return;
            }
            thread::sleep(LOOK);
            continue;
        }
        let pause = if are_on_their_way { LOOK } else { SLEEP };
        is_over = match commands.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => false,
            Ok(Command::Finish) | Err(RecvTimeoutError::Disconnected) => true,
        };
    }
}
