//! Several hosts on one machine: network namespaces of Linux, each with a name, an address, and a cable to a switch.

use std::env;
use std::fmt::Write;
use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::launcher::{Ended, Job, is_open_mpi, this_program};
use super::process::{BEGUN, RESULT, train_all};

/// As what this program is called to start a command on another host, in place of ssh.
pub(crate) const AGENT: &str = "on-host";

/// The variable with what the names of the namespaces begin with.
const HOSTS: &str = "CHAINRULE_HOSTS";

const COUNT: usize = 3;

/// How soon a job has to end when a host is cut off. The daemons of Open MPI notice it after a few seconds, the processes after ten.
const END: Duration = Duration::from_secs(60);

/// The same bits over TCP, with a slow cable too; a host that is cut off ends the job.
pub(crate) fn are_several() {
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(why) => return println!("several hosts: SKIPPED: {why}"),
    };
    let alone = train_all(|trainer| trainer.distributable(true)).expect("they are trainings like any others");
    let check = |what: &str| {
        let ended = Job::start(&mut hosts.mpirun("trains")).end();
        println!("{COUNT} hosts, {what}: {:.1} s", ended.time.as_secs_f64());
        let results: Vec<&str> =
            ended.said.lines().filter_map(|line| line.strip_prefix(RESULT)).map(str::trim).collect();
        assert!(ended.succeeded && results == [&*alone], "{ended:?}");
    };
    check("all cables as they are");
    match hosts.slow_down(1) {
        Ok(slow) => check(slow),
        Err(why) => println!("{COUNT} hosts, one slow cable: SKIPPED: {why}"),
    }

    let mut job = Job::start(&mut hosts.mpirun("is cut off"));
    while !job.has_said(BEGUN) {
        assert!(!job.has_ended(), "{:?}", job.end());
        sleep(Duration::from_millis(20));
    }
    hosts.cut(1).expect("a cable can be cut");
    let begin = Instant::now();
    let Ended { succeeded, said, .. } = job.end();
    let time = begin.elapsed();
    println!("{COUNT} hosts, one cut off: {:.1} s until the job has ended", time.as_secs_f64());
    assert!(!succeeded && time < END, "{time:?}: {said}");
    assert!(
        said.contains("error: process 1 has sent nothing for 10 seconds")
            || said.contains("has lost communication with a remote daemon"),
        "{said}"
    );
    let begin = Instant::now();
    loop {
        let left = hosts.processes(1).expect("the processes on a host can be listed");
        if left.is_empty() {
            break;
        }
        assert!(begin.elapsed() < END, "{left:?} is left on the host that was cut off");
        sleep(Duration::from_millis(20));
    }
    println!("{COUNT} hosts, one cut off: {:.1} s until it has ended there", begin.elapsed().as_secs_f64());
}

/// Network namespaces, which are removed in the end.
struct Hosts {
    prefix: String,
    /// For the files of Open MPI, some of which a host that is cut off would leave.
    temporary: TempDir,
}

impl Hosts {
    /// Connects hosts with a switch; what is missing for that, if something is.
    fn new() -> Result<Self, String> {
        if !is_open_mpi() {
            return Err("only Open MPI is told how to reach a host that is none".into());
        }
        let temporary = tempfile::tempdir().map_err(|error| error.to_string())?;
        let hosts = Self { prefix: format!("chainrule-{}", std::process::id()), temporary };
        let switch = hosts.switch();
        hosts.make(&format!("netns add {switch}"))?;
        hosts.make(&format!("-n {switch} link add switch type bridge"))?;
        hosts.make(&format!("-n {switch} link set switch up"))?;
        for host in 0..COUNT {
            let name = hosts.name(host);
            hosts.make(&format!("netns add {name}"))?;
            hosts.make(&format!("-n {switch} link add to{host} type veth peer name eth0 netns {name}"))?;
            hosts.make(&format!("-n {switch} link set to{host} master switch up"))?;
            hosts.make(&format!("-n {name} addr add {}/24 dev eth0", address(host)))?;
            hosts.make(&format!("-n {name} link set lo up"))?;
            hosts.make(&format!("-n {name} link set eth0 up"))?;
            // A connection that waits for an answer asks for no sign of life, and waits a quarter of an hour.
            let retries = "echo 4 > /proc/sys/net/ipv4/tcp_retries2";
            let set = Command::new("ip").args(["netns", "exec", &name, "sh", "-c", retries]).output();
            let set = set.map_err(|error| error.to_string())?;
            if !set.status.success() {
                return Err(format!("`{retries}`: {}", String::from_utf8_lossy(&set.stderr).trim()));
            }
        }
        let started = on_host(&hosts.prefix, "0").arg("true").output();
        match started {
            Ok(output) if output.status.success() => Ok(hosts),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn make(&self, words: &str) -> Result<(), String> {
        said("ip", words).map(|_| ()).map_err(|error| format!("`ip {words}`: {error}"))
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.prefix)
    }

    fn name(&self, host: usize) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// Starts a process on each host.
    fn mpirun(&self, case: &str) -> Command {
        let mut list = String::new();
        for host in 0..COUNT {
            let _ = write!(list, "{}{}:1", if host > 0 { "," } else { "" }, address(host));
        }
        let program = this_program();
        let agent = format!("{} {AGENT}", program.display());
        let mut command = on_host(&self.prefix, "0");
        command.args(["mpirun", "--host", &list, "-n", &COUNT.to_string(), "--bind-to", "none"]);
        command.args(["--mca", "plm_rsh_agent", &agent, "--mca", "btl", "tcp,self"]);
        for network in ["btl_tcp_if_include", "oob_tcp_if_include"] {
            command.args(["--mca", network, "10.213.77.0/24"]);
        }
        // So that Open MPI notices a host that is cut off, and before the processes do: afterwards it waits for that host to end the job.
        for (setting, seconds) in [("time", "2"), ("intvl", "1"), ("probes", "2")] {
            command.args(["--mca", &format!("oob_tcp_keepalive_{setting}"), seconds]);
        }
        command.arg(program).arg(case).env(HOSTS, &self.prefix).env("TMPDIR", self.temporary.path());
        command
    }

    /// Slows down the cable of a host; says how.
    fn slow_down(&self, host: usize) -> Result<&'static str, io::Error> {
        let change = format!("-n {} qdisc replace dev to{host} root", self.switch());
        // Not every kernel has `netem`.
        if said("tc", &format!("{change} netem delay 2ms rate 100mbit")).is_ok() {
            return Ok("one cable with 2 ms and 100 Mbit/s");
        }
        said("tc", &format!("{change} tbf rate 100mbit burst 32kb latency 400ms"))?;
        Ok("one cable with 100 Mbit/s")
    }

    fn cut(&self, host: usize) -> Result<(), io::Error> {
        said("ip", &format!("-n {} link set to{host} down", self.switch())).map(|_| ())
    }

    /// The processes on a host.
    fn processes(&self, host: usize) -> Result<Vec<String>, io::Error> {
        let found = said("ip", &format!("netns pids {}", self.name(host)))?;
        Ok(found.split_whitespace().map(str::to_owned).collect())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in 0..COUNT {
            // A host that was not made has none.
            for process in self.processes(host).unwrap_or_default() {
                let _ = said("kill", &format!("-9 {process}"));
            }
        }
        for name in (0..COUNT).map(|host| self.name(host)).chain([self.switch()]) {
            let _ = said("ip", &format!("netns del {name}"));
        }
    }
}

fn address(host: usize) -> String {
    format!("10.213.77.{}", host + 1)
}

/// What a command says, if it succeeds.
fn said(program: &str, words: &str) -> Result<String, io::Error> {
    let output = Command::new(program).args(words.split(' ')).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// A command on a host, under the name of that host, without which Open MPI takes all for one.
fn on_host(prefix: &str, host: &str) -> Command {
    let name = format!("{prefix}-{host}");
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &name, "unshare", "--uts", "sh", "-c"]);
    command.args(["hostname \"$0\" && exec \"$@\"", &name]);
    command
}

/// Starts a command on the host of this address, as `ssh address command` does.
pub(crate) fn start_on(address: &str, command: &[&str]) -> ExitCode {
    let prefix = env::var(HOSTS).unwrap_or_default();
    let number = address.rsplit('.').next().and_then(|part| part.parse::<usize>().ok()).unwrap_or(0);
    let host = number.saturating_sub(1).to_string();
    let status = on_host(&prefix, &host).args(["sh", "-c", &command.join(" ")]).status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
