//! Fetching a data set.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::Uri;
use ureq::{Agent, Proxy};

use crate::manifest::{Manifest, RemoteFile};

/// How long a name or a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a mirror may be silent, before it answers and in the middle of a file.
const SILENCE: Duration = Duration::from_secs(30);

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file being fetched.
    pub file: &'a str,
    /// How many of its bytes are there.
    pub done: u64,
    /// How many it has.
    pub total: u64,
}

/// Fetches the files of a data set that `directory` does not have yet, and makes the directory if need be.
///
/// The mirrors are tried in order. A file is written under its name with `.part` behind it, which the next mirror or a
/// later call goes on with if the connection broke; it gets its name once its SHA-256 is right. Proxies are taken from
/// the environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`, except for the hosts of `NO_PROXY` and this machine).
/// Programs that fetch into one directory at the same time wait for each other.
///
/// # Errors
///
/// [`DownloadError`] with what each mirror answered, or what the system refuses.
pub fn fetch(
    manifest: &Manifest,
    directory: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), DownloadError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| DownloadError::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(io(directory))?;
    // Held until the end. Where a directory cannot be locked, the checksums still find what two writers mixed.
    let _lock = File::open(directory).and_then(|opened| opened.lock().map(|()| opened));
    let agents = Agents::new();
    for file in &manifest.files {
        let target = directory.join(&file.name);
        let there = fs::metadata(&target).is_ok_and(|metadata| metadata.len() == file.size);
        if there && is_whole(&target, file).map_err(io(&target))?.is_ok() {
            continue;
        }
        let part = directory.join(format!("{}.part", file.name));
        let mut reasons = Vec::new();
        loop {
            let Some(mirror) = manifest.mirrors.get(reasons.len()) else {
                return Err(DownloadError::Mirrors { title: manifest.title.clone(), reasons });
            };
            let address = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
            match from_mirror(agents.of(&address), &address, file, &part, progress) {
                Ok(()) => break fs::rename(&part, &target).map_err(io(&target))?,
                Err(Failure::Here(source)) => return Err(DownloadError::Io { path: part, source }),
                Err(Failure::There(reason) | Failure::Stale(reason)) => {
                    reasons.push(format!("{address}: {reason}"));
                }
            }
        }
    }
    Ok(())
}

/// The ways out: by the proxy of the environment, and straight.
struct Agents {
    proxied: Agent,
    straight: Agent,
}

impl Agents {
    fn new() -> Self {
        let agent = |proxy| {
            Agent::config_builder()
                .proxy(proxy)
                .timeout_resolve(Some(CONNECT))
                .timeout_connect(Some(CONNECT))
                .timeout_recv_response(Some(SILENCE))
                .timeout_per_read(Some(SILENCE))
                .http_status_as_error(false)
                .build()
                .into()
        };
        Self { proxied: agent(Proxy::try_from_env()), straight: agent(None) }
    }

    /// A mirror on this machine is another one for a proxy, so it is asked straight, as Go's `net/http` does.
    fn of(&self, address: &str) -> &Agent {
        let uri = address.parse::<Uri>().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let local = host.eq_ignore_ascii_case("localhost") || number.is_ok_and(|number| number.is_loopback());
        if local { &self.straight } else { &self.proxied }
    }
}

/// Why a transfer failed.
enum Failure {
    /// This machine refuses, which no other mirror will mend.
    Here(io::Error),
    /// The mirror does not give the file.
    There(String),
    /// What was begun earlier may be to blame, rather than the mirror. It has been removed.
    Stale(String),
}

/// Fetches one file from one mirror and checks it, going on with `part` if that leads to the right file.
fn from_mirror(
    agent: &Agent,
    address: &str,
    file: &RemoteFile,
    part: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Failure> {
    match transfer(agent, address, file, part, progress) {
        Err(Failure::Stale(_)) => transfer(agent, address, file, part, progress),
        done => done,
    }
}

fn transfer(
    agent: &Agent,
    address: &str,
    file: &RemoteFile,
    part: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Failure> {
    let begun = fs::metadata(part).map_or(0, |metadata| metadata.len());
    // Removes what is not the beginning of the file; without an earlier part, it is the mirror's fault.
    let discard = |resumed: bool, reason: String| match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Failure::Here(error),
        _ if resumed => Failure::Stale(reason),
        _ => Failure::There(reason),
    };
    let mut resumed = begun > 0;
    if begun < file.size {
        let mut request = agent.get(address);
        if resumed {
            request = request.header("range", format!("bytes={begun}-"));
        }
        let mut response = request.call().map_err(|error| Failure::There(error.to_string()))?;
        let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
        // 206 goes on from where we are; 200 begins again, by a server that does not know ranges.
        match response.status().as_u16() {
            206 if resumed && range.is_none_or(|range| range.starts_with(&format!("bytes {begun}-"))) => {}
            200 => resumed = false,
            status @ (206 | 416) if resumed => {
                return Err(discard(true, format!("HTTP status {status} for bytes from {begun}")));
            }
            status => return Err(Failure::There(format!("HTTP status {status}"))),
        }
        let have = if resumed { begun } else { 0 };
        // One byte more than there should be tells that the file is another one.
        let body = response.body_mut().as_reader().take(file.size - have + 1);
        match save(body, file, have, part, progress) {
            // A disk that is full is not left full.
            Err(Failure::Here(error)) => {
                let _ = fs::remove_file(part);
                return Err(Failure::Here(error));
            }
            Err(failure) => return Err(failure),
            Ok(have) if have > file.size => {
                return Err(discard(
                    resumed,
                    format!("it sends more than the {} bytes of the file", file.size),
                ));
            }
            Ok(_) => {}
        }
    }
    is_whole(part, file).map_err(Failure::Here)?.map_err(|reason| discard(resumed, reason))
}

/// Writes a body behind the `have` bytes of `part`, and returns how many there are then: all, or one too many.
fn save(
    mut body: impl Read,
    file: &RemoteFile,
    mut have: u64,
    part: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<u64, Failure> {
    let mut options = OpenOptions::new();
    let options =
        if have > 0 { options.append(true) } else { options.create(true).write(true).truncate(true) };
    let mut out = options.open(part).map_err(Failure::Here)?;
    let mut buffer = vec![0; 1 << 16];
    let mut ended = Ok(());
    while have <= file.size {
        progress(Progress { file: &file.name, done: have, total: file.size });
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                out.write_all(&buffer[..count]).map_err(Failure::Here)?;
                have += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    out.sync_all().map_err(Failure::Here)?;
    if have < file.size {
        let why = ended.err().map_or(String::new(), |error| format!(" ({error})"));
        return Err(Failure::There(format!("it broke off after {have} of {} bytes{why}", file.size)));
    }
    Ok(have)
}

/// Whether a file is the one of the manifest, or what differs.
fn is_whole(path: &Path, file: &RemoteFile) -> io::Result<Result<(), String>> {
    let found = sha256(path)?;
    let right = found.eq_ignore_ascii_case(&file.sha256);
    Ok(if right { Ok(()) } else { Err(format!("the SHA-256 is {found}, not {}", file.sha256)) })
}

/// The SHA-256 of a file, in hexadecimal.
fn sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// A data set that could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// No mirror gave the file.
    #[error("cannot download {title}:\n  {}\nGet the files elsewhere and name their directory with --data-dir or CHAINRULE_DATA", reasons.join("\n  "))]
    Mirrors {
        /// The data set.
        title: String,
        /// What each mirror answered.
        reasons: Vec<String>,
    },
    /// This machine refuses: no permission, or no room.
    #[error("cannot write {}: {source}; make room there, or name another directory with --data-dir or CHAINRULE_DATA", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
