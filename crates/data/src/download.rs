//! Fetching a data set.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::{Agent, Proxy};

use crate::manifest::{Manifest, RemoteFile};

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
/// The mirrors are tried in order. A file is written under its name with `.part` behind it, which a later call
/// goes on with if the connection broke; it gets its name once its SHA-256 is right. Proxies are taken from the
/// environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).
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
    let agent: Agent = Agent::config_builder()
        .proxy(Proxy::try_from_env())
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .http_status_as_error(false)
        .build()
        .into();
    for file in &manifest.files {
        let target = directory.join(&file.name);
        let there = fs::metadata(&target).is_ok_and(|metadata| metadata.len() == file.size);
        if there && sha256(&target).map_err(io(&target))? == file.sha256 {
            continue;
        }
        let part = directory.join(format!("{}.part", file.name));
        let mut reasons = Vec::new();
        let mut fetched = false;
        for mirror in &manifest.mirrors {
            let address = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
            match transfer(&agent, &address, file, &part, progress) {
                Ok(()) => {
                    fs::rename(&part, &target).map_err(io(&target))?;
                    fetched = true;
                    break;
                }
                Err(Failure::Here(source)) => return Err(DownloadError::Io { path: part, source }),
                Err(Failure::There(reason)) => reasons.push(format!("{address}: {reason}")),
            }
        }
        if !fetched {
            return Err(DownloadError::Mirrors { title: manifest.title.clone(), reasons });
        }
    }
    Ok(())
}

/// Why a transfer failed: this machine, which no other mirror will mend, or the mirror.
enum Failure {
    Here(io::Error),
    There(String),
}

/// Fetches one file from one mirror, going on from what `part` has, and checks it.
fn transfer(
    agent: &Agent,
    address: &str,
    file: &RemoteFile,
    part: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Failure> {
    let there = |error: &dyn std::fmt::Display| Failure::There(error.to_string());
    let mut have = fs::metadata(part).map_or(0, |metadata| metadata.len());
    if have > file.size {
        fs::remove_file(part).map_err(Failure::Here)?;
        have = 0;
    }
    if have < file.size {
        let mut request = agent.get(address);
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
        }
        let mut response = request.call().map_err(|error| there(&error))?;
        // 206 goes on from where we are; 200 begins again, by a server that does not know ranges.
        let resumed = match response.status().as_u16() {
            206 if have > 0 => true,
            200 => false,
            status => return Err(Failure::There(format!("HTTP status {status}"))),
        };
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(resumed).truncate(!resumed);
        let mut out = options.open(part).map_err(Failure::Here)?;
        have = if resumed { have } else { 0 };
        // One byte more than there should be tells that the file is another one.
        let mut body = response.body_mut().as_reader().take(file.size - have + 1);
        let mut buffer = vec![0; 1 << 16];
        loop {
            progress(Progress { file: &file.name, done: have.min(file.size), total: file.size });
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(there(&error)),
            };
            have += count as u64;
            if have > file.size {
                drop(out);
                fs::remove_file(part).map_err(Failure::Here)?;
                return Err(Failure::There(format!(
                    "it sends more than the {} bytes of the file",
                    file.size
                )));
            }
            out.write_all(&buffer[..count]).map_err(Failure::Here)?;
        }
        out.sync_all().map_err(Failure::Here)?;
        if have < file.size {
            return Err(Failure::There(format!("the connection ended after {have} of {} bytes", file.size)));
        }
    }
    let found = sha256(part).map_err(Failure::Here)?;
    if found != file.sha256 {
        fs::remove_file(part).map_err(Failure::Here)?;
        return Err(Failure::There(format!("the SHA-256 is {found}, not {}", file.sha256)));
    }
    Ok(())
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
