//! `--watch`: the page of a training.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use crate::start::chainrule;
use crate::{directory, out, plants};

/// Trains so long with `--watch`, and asks for the page again and again; `each` is given those of the training. Also the last page, and the
/// status.
fn watched(directory: &Path, time: &str, mut each: impl FnMut(String, &Child)) -> (String, ExitStatus) {
    out(directory, &["init", "plants.csv"]);
    let mut command = chainrule();
    // It would stop early, before a page of it was seen.
    let patient = "early_stopping.patience=1000000";
    command.current_dir(directory);
    command.args(["train", "plants.toml", "--watch", "--for", time, "--set", patient]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = said.find_map(|line| Some(line.strip_prefix("watch it at http://")?.to_owned())).unwrap();
    // A pipe that is full would keep it from going on.
    let rest = std::thread::spawn(move || said.for_each(drop));
    let (host, path) = address.split_once('/').unwrap();
    assert!(host.starts_with("127.0.0.1:") && path.len() == 33, "{address}");
    let get = || {
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    };
    let last = loop {
        let page = get();
        if !page.contains(" data-version=") {
            break page;
        }
        each(page, &child);
        std::thread::sleep(Duration::from_millis(200));
    };
    rest.join().unwrap();
    (last, child.wait().unwrap())
}

/// `--watch` says where the page is, which changes while the model trains and is the report in the end.
#[test]
fn a_training_is_watched() {
    let directory = directory(&[("plants.csv", plants(400, 5))]);
    let mut live = Vec::new();
    let (last, status) = watched(directory.path(), "3s", |page, _| live.push(page));
    assert!(status.success());
    let tags: HashSet<&str> =
        live.iter().filter_map(|page| page.lines().find(|line| line.starts_with("ETag"))).collect();
    assert!(tags.len() > 2, "{tags:?}");
    let training = live.iter().find(|page| page.contains("training loss"));
    assert!(training.is_some_and(|page| page.contains("A model of species")), "{live:?}");
    assert!(last.contains("<h2>Confusion") && last.contains("default-src 'none'"));
}

/// The last page of a training that is interrupted says that it was, and how to go on.
#[cfg(unix)]
#[test]
fn who_watches_sees_why_a_training_ended() {
    let directory = directory(&[("plants.csv", plants(400, 5))]);
    let mut is_asked = false;
    let (last, status) = watched(directory.path(), "60s", |page, child| {
        assert!(!page.contains("it is being tested"), "{page}");
        if page.contains("training loss") && !is_asked {
            let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(kill.unwrap().success());
            is_asked = true;
        }
    });
    assert_eq!(status.code(), Some(130));
    let warnings = &last[last.find("id=\"warnings\"").unwrap()..];
    let warnings = &warnings[..warnings.find("</aside>").unwrap()];
    assert!(warnings.contains("Ctrl-C in epoch") && warnings.contains("chainrule resume"), "{warnings}");
    assert!(last.contains("training loss") && !last.contains("it is being tested"), "{last}");
}
