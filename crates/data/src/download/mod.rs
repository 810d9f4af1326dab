//! Downloading a data set.

mod archive;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::Uri;
use ureq::{Agent, Proxy};

use crate::manifest::{Manifest, ManifestError, RemoteFile};
use crate::output;

/// The time limit for resolving a name and for connecting.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a mirror may be silent, before its response and within a file.
const SILENCE: Duration = Duration::from_secs(30);

/// The progress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file being fetched.
    pub file: &'a str,
    /// The number of its bytes on this machine.
    pub done: u64,
    /// Its size in bytes.
    pub total: u64,
}

/// Downloads the files of a data set that are not in `directory` yet, and creates the directory if necessary.
///
/// The mirrors are tried in order. A file is first written as its name with `.part` appended, which the next mirror or a
/// later call continues if the connection breaks; it gets its name once its SHA-256 matches. Of an archive the files that the
/// manifest lists are unpacked into the directory, and the archive is removed. Proxies are taken from the
/// environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`, except for the hosts of `NO_PROXY` and this machine).
/// Programs that download into one directory at the same time wait for each other.
///
/// # Errors
///
/// [`DownloadError`] with each mirror's response, or the system's error.
pub fn fetch(
    manifest: &Manifest,
    directory: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), DownloadError> {
    manifest.check()?;
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| DownloadError::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(io(directory))?;
    // Held until the end. Where a directory cannot be locked, the checksums still detect files mixed by two writers.
    let _lock = File::open(directory).and_then(|opened| opened.lock().map(|()| opened));
    let agents = Agents::new();
    for file in &manifest.files {
        if archive::is_unpacked(file, directory) {
            continue;
        }
        let target = directory.join(&file.name);
        let there = fs::metadata(&target).is_ok_and(|metadata| metadata.len() == file.size);
        if there && is_whole(&target, file).map_err(io(&target))?.is_ok() {
            unpack(file, &target, directory)?;
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
                Ok(()) => break output::rename(&part, &target).map_err(io(&target))?,
                Err(Failure::Here(source)) => return Err(DownloadError::Io { path: target, source }),
                Err(Failure::There(reason) | Failure::Stale(reason)) => {
                    reasons.push(format!("{address}: {reason}"));
                }
            }
        }
        unpack(file, &target, directory)?;
    }
    Ok(())
}

/// Unpacks a file if it is an archive, and removes it.
fn unpack(file: &RemoteFile, target: &Path, directory: &Path) -> Result<(), DownloadError> {
    if file.holds.is_empty() {
        return Ok(());
    }
    let unpacked = archive::unpack(target, file, directory);
    let removed = unpacked.and_then(|()| fs::remove_file(target));
    removed.map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => DownloadError::Archive { path: target.to_owned(), source },
        _ => DownloadError::Io { path: target.to_owned(), source },
    })
}

/// A client with the proxy of the environment, and one without.
struct Agents {
    proxied: Agent,
    direct: Agent,
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
        Self { proxied: agent(Proxy::try_from_env()), direct: agent(None) }
    }

    /// The client for an address: no proxy can reach a mirror on this machine, so that one is direct, as in Go's
    /// `net/http`.
    fn of(&self, address: &str) -> &Agent {
        let uri = address.parse::<Uri>().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let local = host.eq_ignore_ascii_case("localhost") || number.is_ok_and(|number| number.is_loopback());
        if local { &self.direct } else { &self.proxied }
    }
}

/// Why a transfer failed.
enum Failure {
    /// An error of this machine, which another mirror would not solve.
    Here(io::Error),
    /// The mirror does not deliver the file.
    There(String),
    /// The earlier part may be at fault rather than the mirror. It has been removed.
    Stale(String),
}

/// Downloads one file from one mirror and checks it, continuing `part` if that leads to the right file.
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
    // Removes a part that is not the beginning of the file; without an earlier part, the mirror is at fault.
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
        // 206 continues; 200 starts again, from a server that does not support ranges.
        match response.status().as_u16() {
            206 if resumed && range.is_none_or(|range| range.starts_with(&format!("bytes {begun}-"))) => {}
            200 => resumed = false,
            status @ (206 | 416) if resumed => {
                return Err(discard(true, format!("HTTP status {status} for bytes from {begun}")));
            }
            status => return Err(Failure::There(format!("HTTP status {status}"))),
        }
        let have = if resumed { begun } else { 0 };
        // One byte too many shows that it is another file.
        let body = response.body_mut().as_reader().take((file.size - have).saturating_add(1));
        match save(body, file, have, part, progress) {
            // Do not leave a full disk full.
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

/// Appends a body to the `have` bytes of `part`, and returns the new length: the whole file, or one byte too many.
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

/// Checks a file against its manifest; the inner error says what differs.
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

/// Why a data set could not be downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// No mirror delivered the file.
    #[error("cannot download {title}:\n  {}\nGet the files elsewhere and give their directory with --data-dir or CHAINRULE_DATA", reasons.join("\n  "))]
    Mirrors {
        /// The data set.
        title: String,
        /// Each mirror's response.
        reasons: Vec<String>,
    },
    /// The manifest names what cannot be downloaded.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An archive that does not hold what its manifest says.
    #[error("{} cannot be unpacked: its manifest does not fit it", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What differs.
        source: io::Error,
    },
    /// An error of this machine, such as missing permission or a full disk.
    #[error("cannot write {}: free some space there, or give another directory with --data-dir or CHAINRULE_DATA", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
