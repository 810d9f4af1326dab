//! Downloads, against a small server on this machine.
#![cfg(feature = "download")]

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use chainrule_data::{DownloadError, Manifest, RemoteFile, fetch};
use sha2::{Digest, Sha256};

/// What the server does with a connection.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Serves what is asked for, from the byte where the request's range begins.
    Serve,
    /// Serves the whole file whatever range is asked for.
    Whole,
    /// Closes the connection after this many bytes.
    Cut(usize),
    /// Sends another file of the same length.
    Other,
    /// Sends the file twice.
    Twice,
    /// Answers 404.
    Missing,
}

struct Server {
    address: String,
    /// The `Range` headers of the requests so far.
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    /// Answers one connection after the other.
    fn new(body: &[u8], answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/folder", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (seen, body, mut answers) =
            (Arc::clone(&ranges), body.to_vec(), VecDeque::from(answers.to_vec()));
        std::thread::spawn(move || {
            while let (Some(answer), Ok((stream, _))) = (answers.pop_front(), listener.accept()) {
                serve(stream, &body, answer, &seen);
            }
        });
        Self { address, ranges }
    }
}

fn serve(mut stream: TcpStream, body: &[u8], answer: Answer, seen: &Mutex<Vec<Option<String>>>) {
    let mut range = None;
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("range: ") {
            range = Some(value.to_owned());
        }
        if line.is_empty() {
            break;
        }
    }
    seen.lock().unwrap().push(range.clone());
    let start =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).unwrap_or(0);
    let (status, start) = match answer {
        Answer::Missing => ("404 Not Found", body.len()),
        Answer::Whole => ("200 OK", 0),
        _ if start > 0 => ("206 Partial Content", start),
        _ => ("200 OK", 0),
    };
    let sent = match answer {
        Answer::Other => body.iter().map(|byte| !byte).collect(),
        Answer::Twice => body.repeat(2),
        _ => body[start..].to_vec(),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", sent.len());
    let end = if let Answer::Cut(end) = answer { end } else { sent.len() };
    // The client may hang up early; that is its right.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&sent[..end]));
}

fn body() -> Vec<u8> {
    (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn manifest(servers: &[&Server]) -> Manifest {
    let sha256 = Sha256::digest(body()).iter().map(|byte| format!("{byte:02x}")).collect();
    Manifest {
        name: "test".into(),
        title: "a test set".into(),
        homepage: String::new(),
        licence: String::new(),
        citation: String::new(),
        mirrors: servers.iter().map(|server| server.address.clone()).collect(),
        files: vec![RemoteFile { name: "file.gz".into(), size: body().len() as u64, sha256 }],
    }
}

fn get(servers: &[&Server], directory: &Path) -> Result<(), DownloadError> {
    fetch(&manifest(servers), directory, &mut |progress| assert!(progress.done <= progress.total))
}

/// That the file is there, whole, and nothing else.
fn whole(directory: &Path) {
    assert_eq!(fs::read(directory.join("file.gz")).unwrap(), body());
    assert_eq!(fs::read_dir(directory).unwrap().count(), 1);
}

#[test]
fn fetches_once() {
    let (server, directory) = (Server::new(&body(), &[Answer::Serve]), tempfile::tempdir().unwrap());
    let below = directory.path().join("made/on/the/way");
    get(&[&server], &below).unwrap();
    whole(&below);
    // What is there is not fetched again; the server would not answer.
    get(&[&server], &below).unwrap();
}

#[test]
fn takes_the_next_mirror() {
    for answer in [Answer::Missing, Answer::Other, Answer::Twice] {
        let (first, second) = (Server::new(&body(), &[answer]), Server::new(&body(), &[Answer::Serve]));
        let directory = tempfile::tempdir().unwrap();
        get(&[&first, &second], directory.path()).unwrap();
        whole(directory.path());
        assert_eq!(*second.ranges.lock().unwrap(), [None], "{answer:?} leaves nothing to go on with");
    }
}

#[test]
fn goes_on_after_a_break() {
    for (answer, resumed) in [(Answer::Serve, true), (Answer::Whole, true)] {
        let server = Server::new(&body(), &[Answer::Cut(30_000), answer]);
        let directory = tempfile::tempdir().unwrap();
        let error = get(&[&server], directory.path()).unwrap_err();
        assert!(matches!(error, DownloadError::Mirrors { .. }), "{error}");
        assert!(!directory.path().join("file.gz").exists());
        let have = fs::metadata(directory.path().join("file.gz.part")).unwrap().len();
        assert!(have > 0 && have <= 30_000);
        get(&[&server], directory.path()).unwrap();
        whole(directory.path());
        let asked = server.ranges.lock().unwrap()[1].clone();
        assert_eq!(asked.is_some(), resumed);
        assert_eq!(asked, Some(format!("bytes={have}-")));
    }
}

#[test]
fn says_what_each_mirror_answered() {
    let servers = [Answer::Missing, Answer::Other].map(|answer| Server::new(&body(), &[answer]));
    let directory = tempfile::tempdir().unwrap();
    let error = get(&[&servers[0], &servers[1]], directory.path()).unwrap_err().to_string();
    for part in ["404", "SHA-256", "--data-dir", &servers[0].address, &servers[1].address] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_cannot_be() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let error = get(&[], &directory.path().join("file/below")).unwrap_err();
    assert!(matches!(error, DownloadError::Io { .. }), "{error}");
    assert!(error.to_string().contains("below"), "{error}");
}
