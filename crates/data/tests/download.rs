//! Downloads, against a small server on this machine.
#![cfg(feature = "download")]

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use chainrule_data::{ArchivedFile, DownloadError, Format, Manifest, RemoteFile, fetch};
use flate2::{Compression, write::GzEncoder};
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
    /// Answers 416: there is nothing from that byte on.
    NoRange,
    /// Answers a range with another one.
    WrongRange,
    /// Is a proxy: agrees to connect, and then serves as if it were the mirror.
    Proxy,
}

/// The first line and the `Range` header of a request.
type Request = (String, Option<String>);

struct Server {
    address: String,
    /// The requests so far.
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers one connection after the other.
    fn new(body: &[u8], answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/folder", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, body, mut answers) =
            (Arc::clone(&requests), body.to_vec(), VecDeque::from(answers.to_vec()));
        std::thread::spawn(move || {
            while let (Some(answer), Ok((stream, _))) = (answers.pop_front(), listener.accept()) {
                serve(stream, &body, answer, &seen);
            }
        });
        Self { address, requests }
    }

    /// The `Range` headers of the requests so far.
    fn ranges(&self) -> Vec<Option<String>> {
        self.requests.lock().unwrap().iter().map(|(_, range)| range.clone()).collect()
    }
}

fn serve(mut stream: TcpStream, body: &[u8], answer: Answer, seen: &Mutex<Vec<(String, Option<String>)>>) {
    let (mut first, mut range) = (None, None);
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: ") {
            range = Some(value.to_owned());
        }
        if line.is_empty() {
            break;
        }
        first.get_or_insert(line);
    }
    seen.lock().unwrap().push((first.unwrap_or_default(), range.clone()));
    if let Answer::Proxy = answer {
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
        return serve(stream, body, Answer::Serve, seen);
    }
    let start =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).unwrap_or(0);
    let (status, start) = match answer {
        Answer::Missing => ("404 Not Found", body.len()),
        Answer::NoRange => ("416 Range Not Satisfiable", body.len()),
        Answer::WrongRange => ("206 Partial Content", start / 2),
        Answer::Whole => ("200 OK", 0),
        _ if start > 0 => ("206 Partial Content", start),
        _ => ("200 OK", 0),
    };
    let sent = match answer {
        Answer::Other => body.iter().map(|byte| !byte).collect(),
        Answer::Twice => body.repeat(2),
        _ => body[start..].to_vec(),
    };
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", sent.len());
    if status.starts_with("206") {
        head += &format!("Content-Range: bytes {start}-{}/{}\r\n", body.len() - 1, body.len());
    }
    let end = if let Answer::Cut(end) = answer { end } else { sent.len() };
    // The client may hang up early; that is its right.
    let _ = stream.write_all((head + "\r\n").as_bytes()).and_then(|()| stream.write_all(&sent[..end]));
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
        format: Format::Table,
        classes: Vec::new(),
        mirrors: servers.iter().map(|server| server.address.clone()).collect(),
        files: vec![RemoteFile {
            name: "file.gz".into(),
            size: body().len() as u64,
            sha256,
            holds: Vec::new(),
        }],
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

/// An archive of two files in a folder, with a link and a file that is not asked for.
fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |name: &str, kind: tar::EntryType, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if kind.is_symlink() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        archive.append_data(&mut header, name, content).unwrap();
    };
    add("folder/one.bin", tar::EntryType::Symlink, &[]);
    add("folder/one.bin", tar::EntryType::Regular, &[1; 300]);
    add("folder/readme.html", tar::EntryType::Regular, b"hello");
    add("folder/deeper/two.bin", tar::EntryType::Regular, &body());
    archive.into_inner().unwrap().finish().unwrap()
}

/// A manifest of the archive with these files in it.
fn manifest_of(archive: &[u8], server: &Server, holds: &[(&str, u64)]) -> Manifest {
    let mut manifest = manifest(&[server]);
    let file = &mut manifest.files[0];
    file.name = "archive.tar.gz".into();
    file.size = archive.len() as u64;
    file.sha256 = Sha256::digest(archive).iter().map(|byte| format!("{byte:02x}")).collect();
    let named = |&(name, size): &(&str, u64)| ArchivedFile { name: name.into(), size };
    file.holds = holds.iter().map(named).collect();
    manifest
}

#[test]
fn archives_are_unpacked_once() {
    let archive = archive();
    let (server, directory) = (Server::new(&archive, &[Answer::Serve]), tempfile::tempdir().unwrap());
    let manifest = manifest_of(&archive, &server, &[("one.bin", 300), ("two.bin", body().len() as u64)]);
    // The server answers once.
    for _ in 0..2 {
        fetch(&manifest, directory.path(), &mut |_| {}).unwrap();
        assert_eq!(fs::read(directory.path().join("one.bin")).unwrap(), [1; 300]);
        assert_eq!(fs::read(directory.path().join("two.bin")).unwrap(), body());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing but these files");
    }
}

#[test]
fn an_archive_that_is_not_as_the_manifest_says_is_an_error() {
    let archive = archive();
    for (holds, what) in [
        (("one.bin", 301), "one.bin has 300 bytes there, not 301"),
        (("three.bin", 1), "it does not hold three.bin"),
    ] {
        let (server, directory) = (Server::new(&archive, &[Answer::Serve]), tempfile::tempdir().unwrap());
        let error =
            fetch(&manifest_of(&archive, &server, &[holds]), directory.path(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("archive.tar.gz cannot be unpacked"), "{error}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(what), "{source}");
    }
}

/// An archive of EMNIST's form: members of a folder, compressed once more.
#[test]
fn members_of_a_zip_are_decompressed() {
    let compressed = |content: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(content).unwrap();
        gzip.finish().unwrap()
    };
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in
        [("gzip/other.gz", vec![0]), ("gzip/one.gz", compressed(&[1; 300])), ("plain", body())]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    let archive = zip.finish().unwrap().into_inner();
    let get = |holds: &[(&str, u64)]| {
        let (server, directory) = (Server::new(&archive, &[Answer::Serve]), tempfile::tempdir().unwrap());
        let mut manifest = manifest_of(&archive, &server, holds);
        manifest.files[0].name = "archive.zip".into();
        let fetched = fetch(&manifest, directory.path(), &mut |_| {});
        (fetched.map_err(|error| std::error::Error::source(&error).unwrap().to_string()), directory)
    };
    let (fetched, directory) = get(&[("one", 300), ("plain", body().len() as u64)]);
    fetched.unwrap();
    assert_eq!(fs::read(directory.path().join("one")).unwrap(), [1; 300]);
    assert_eq!(fs::read(directory.path().join("plain")).unwrap(), body());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing but these files");
    for (holds, what) in [
        (("one", 299), "one has more than 299 bytes there"),
        (("one", 301), "a file ends after 300 of 301 bytes"),
        (("two", 1), "it does not hold two"),
    ] {
        let (fetched, directory) = get(&[holds]);
        assert!(fetched.unwrap_err().contains(what));
        assert!(!directory.path().join(holds.0).exists());
    }
}

#[test]
fn takes_the_next_mirror() {
    for answer in [Answer::Missing, Answer::Other, Answer::Twice] {
        let (first, second) = (Server::new(&body(), &[answer]), Server::new(&body(), &[Answer::Serve]));
        let directory = tempfile::tempdir().unwrap();
        get(&[&first, &second], directory.path()).unwrap();
        whole(directory.path());
        assert_eq!(second.ranges(), [None], "{answer:?} leaves nothing to go on with");
    }
}

#[test]
fn goes_on_after_a_break() {
    for answer in [Answer::Serve, Answer::Whole] {
        let server = Server::new(&body(), &[Answer::Cut(30_000), answer]);
        let directory = tempfile::tempdir().unwrap();
        let error = get(&[&server], directory.path()).unwrap_err();
        assert!(matches!(error, DownloadError::Mirrors { .. }), "{error}");
        assert!(error.to_string().contains("broke off"), "{error}");
        assert!(!directory.path().join("file.gz").exists());
        let have = fs::metadata(directory.path().join("file.gz.part")).unwrap().len();
        assert!(have > 0 && have <= 30_000);
        get(&[&server], directory.path()).unwrap();
        whole(directory.path());
        assert_eq!(server.ranges(), [None, Some(format!("bytes={have}-"))]);
    }
}

#[test]
fn the_next_mirror_goes_on_where_one_broke_off() {
    let first = Server::new(&body(), &[Answer::Cut(30_000)]);
    let second = Server::new(&body(), &[Answer::Serve]);
    let directory = tempfile::tempdir().unwrap();
    get(&[&first, &second], directory.path()).unwrap();
    whole(directory.path());
    assert!(matches!(&second.ranges()[..], [Some(_)]));
}

#[test]
fn what_was_begun_wrong_is_begun_again() {
    let body = body();
    let (good, bad) = (&body[..500], vec![7; 500]);
    let (whole_bad, longer) = (vec![7; body.len()], vec![7; body.len() + 1]);
    let cases: [(&[u8], &[Answer]); 5] = [
        (&bad, &[Answer::Serve, Answer::Serve]),
        (good, &[Answer::NoRange, Answer::Serve]),
        (good, &[Answer::WrongRange, Answer::Serve]),
        (&whole_bad, &[Answer::Serve]),
        (&longer, &[Answer::Serve]),
    ];
    for (part, answers) in cases {
        let (server, directory) = (Server::new(&body, answers), tempfile::tempdir().unwrap());
        fs::write(directory.path().join("file.gz.part"), part).unwrap();
        get(&[&server], directory.path()).unwrap();
        whole(directory.path());
        assert_eq!(server.ranges().last(), Some(&None), "{answers:?}");
    }
}

#[test]
fn a_damaged_file_is_fetched_again() {
    let (server, directory) = (Server::new(&body(), &[Answer::Serve]), tempfile::tempdir().unwrap());
    fs::write(directory.path().join("file.gz"), vec![7; body().len()]).unwrap();
    get(&[&server], directory.path()).unwrap();
    whole(directory.path());
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

#[test]
fn mirrors_that_are_down() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut manifest = manifest(&[]);
    manifest.mirrors = vec![format!("http://{closed}/a"), format!("http://{closed}/b")];
    let directory = tempfile::tempdir().unwrap();
    match fetch(&manifest, directory.path(), &mut |_| ()).unwrap_err() {
        DownloadError::Mirrors { reasons, .. } => assert_eq!(reasons.len(), 2, "{reasons:?}"),
        other => panic!("{other}"),
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn no_room() {
    let (server, directory) = (Server::new(&body(), &[Answer::Serve]), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink("/dev/full", directory.path().join("file.gz.part")).unwrap();
    let error = get(&[&server], directory.path()).unwrap_err();
    assert!(
        matches!(&error, DownloadError::Io { source, .. } if source.raw_os_error() == Some(28)),
        "{error}"
    );
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// The environment belongs to a process, so this test runs itself in another one.
#[test]
fn through_the_proxy_of_the_environment() {
    const DIRECTORY: &str = "CHAINRULE_TEST_DIRECTORY";
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        let mut manifest = manifest(&[]);
        manifest.mirrors = vec!["http://mirror.invalid/folder".into()];
        fetch(&manifest, directory.as_ref(), &mut |_| ()).unwrap();
        return;
    }
    let (proxy, directory) = (Server::new(&body(), &[Answer::Proxy]), tempfile::tempdir().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "through_the_proxy_of_the_environment"]).env(DIRECTORY, directory.path());
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "http_proxy", "NO_PROXY", "no_proxy"]
    {
        child.env_remove(name);
    }
    child.env("HTTP_PROXY", proxy.address.trim_end_matches("/folder"));
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    whole(directory.path());
    let first = proxy.requests.lock().unwrap()[0].0.clone();
    assert!(first.contains("mirror.invalid"), "{first}");
}
