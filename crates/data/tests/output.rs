//! What remains of a file when it is written, whatever it was before.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use chainrule_data::output;
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    output::write(path, |file| file.write_all(text.as_bytes()))
}

/// The names in a directory, sorted.
fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn new_and_replaced() {
    let directory = directory();
    let path = directory.path().join("file");
    for text in ["", "first", &"long ".repeat(100_000), "short"] {
        output::check(&path).unwrap();
        put(&path, text).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(names(&directory), ["file"]);
    }
    let longest = directory.path().join("n".repeat(255));
    put(&longest, "x").unwrap();
    put(&longest, "y").unwrap();
    assert_eq!(fs::read_to_string(&longest).unwrap(), "y");
    assert_eq!(names(&directory).len(), 2);
}

#[test]
fn after_an_error_nothing_has_changed() {
    let directory = directory();
    let path = directory.path().join("file");
    let half = |path: &Path| {
        output::write(path, |file| {
            file.write_all(&[b'x'; 100_000])?;
            Err(io::Error::other("as intended"))
        })
    };
    assert_eq!(half(&path).unwrap_err().to_string(), "as intended");
    assert!(names(&directory).is_empty());
    put(&path, "old").unwrap();
    assert!(half(&path).is_err());
    let panics = || output::write(&path, |_| panic!("as intended"));
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(&directory), ["file"]);
}

#[test]
fn what_cannot_be_written_is_refused_at_once() {
    let directory = directory();
    let file = directory.path().join("file");
    put(&file, "").unwrap();
    fs::create_dir(directory.path().join("folder")).unwrap();
    for (path, kind, text) in [
        ("folder", io::ErrorKind::IsADirectory, "directory"),
        ("missing/", io::ErrorKind::IsADirectory, "directory"),
        ("missing/file", io::ErrorKind::NotFound, "missing: create it"),
        ("file/below", io::ErrorKind::NotADirectory, ""),
    ] {
        let path = PathBuf::from(format!("{}/{path}", directory.path().display()));
        for error in [output::check(&path).unwrap_err(), put(&path, "x").unwrap_err()] {
            assert_eq!(error.kind(), kind, "{}: {error}", path.display());
            let message = error.to_string();
            assert!(message.contains(text) && !message.contains("file."), "{message}");
        }
    }
    for path in ["", "/", ".."] {
        assert!(output::check(Path::new(path)).is_err(), "{path}");
        assert!(put(Path::new(path), "x").is_err(), "{path}");
    }
    assert_eq!(names(&directory), ["file", "folder"]);
}

#[test]
fn a_header_that_is_known_at_the_end() {
    let directory = directory();
    let path = directory.path().join("file");
    for length in [0, 5, 100_000] {
        let put = |path: &Path| {
            output::write_with_header(path, 2, |file| {
                (0..length).try_for_each(|index: usize| file.write_all(&[index as u8]))?;
                Ok((length as u64).to_le_bytes())
            })
        };
        put(&path).unwrap();
        let body: Vec<u8> = (0..length).map(|index| index as u8).collect();
        let right = [&(length as u64).to_le_bytes()[..], &body].concat();
        assert_eq!(fs::read(&path).unwrap(), right);
        if cfg!(unix) {
            // A pipe, where one cannot go back.
            let pipe = directory.path().join("pipe");
            assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            let reader = std::thread::spawn({
                let pipe = pipe.clone();
                move || fs::read(pipe).unwrap()
            });
            put(&pipe).unwrap();
            assert_eq!(reader.join().unwrap(), right);
            fs::remove_file(pipe).unwrap();
        }
    }
    let error =
        output::write_with_header::<8>(&path, 2, |_| Err(io::Error::other("as intended"))).unwrap_err();
    assert_eq!(error.to_string(), "as intended");
    assert_eq!(fs::read(&path).unwrap().len(), 8 + 100_000);
    assert_eq!(names(&directory), ["file", "file.1"]);
}

#[test]
fn several_at_once() {
    let directory = directory();
    let path = directory.path().join("file");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for turn in 0..20 {
                    put(path, &format!("{writer} {turn} ").repeat(1000)).unwrap();
                }
            });
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    let one: String = text.split_inclusive(' ').take(2).collect();
    assert_eq!(text, one.repeat(1000), "a file of one writer");
    assert_eq!(names(&directory), ["file"]);
}

#[test]
fn stale_files_of_the_same_target_are_removed() {
    let directory = directory();
    let path = directory.path().join("model");
    let others = [
        "model.abcdefgh.tmp.gz",
        "model.abcdefghi.tmp",
        "model.backup.tmp",
        "models.abcdefgh.tmp",
        "other.abcdefgh.tmp",
    ];
    for name in others.iter().chain(&["model.abcdefgh.tmp", "model.01234567.tmp"]) {
        fs::write(directory.path().join(name), "x").unwrap();
    }
    fs::create_dir(directory.path().join("model.zzzzzzzz.tmp")).unwrap();
    put(&path, "new").unwrap();
    let mut expected = [&["model", "model.zzzzzzzz.tmp"][..], &others].concat();
    expected.sort();
    assert_eq!(names(&directory), expected);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use super::*;

    /// Names the target in the processes that the tests start.
    const CHILD: &str = "CHAINRULE_TEST_OUTPUT";

    /// This test, run again in a process of its own that writes to `target`.
    fn child(test: &str, target: &Path) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", &format!("unix::{test}"), "--nocapture"]).env(CHILD, target);
        command
    }

    fn run(command: &mut Command) -> bool {
        command.status().is_ok_and(|status| status.success())
    }

    #[test]
    fn owner_and_mode_are_kept() {
        let directory = directory();
        let path = directory.path().join("file");
        put(&path, "new").unwrap();
        let other = directory.path().join("other");
        fs::write(&other, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode();
        assert_eq!(mode(&path), mode(&other), "a new file is as any other");
        for bits in [0o600, 0o640, 0o755, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
            put(&path, "again").unwrap();
            assert_eq!(mode(&path) & 0o7777, bits);
        }
        // Only the superuser can give a file away.
        if chown(&path, Some(12_345), Some(23_456)).is_ok() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o4750)).unwrap();
            put(&path, "once more").unwrap();
            let now = fs::metadata(&path).unwrap();
            assert_eq!((now.uid(), now.gid(), now.mode() & 0o7777), (12_345, 23_456, 0o4750));
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
            assert_eq!(put(&path, "x").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn links_are_followed() {
        let directory = directory();
        let [folder, link, link_to_link, dangling] =
            ["folder", "link", "link-to-link", "dangling"].map(|name| directory.path().join(name));
        fs::create_dir(&folder).unwrap();
        symlink("folder/file", &link).unwrap();
        symlink(&link, &link_to_link).unwrap();
        symlink("folder/new", &dangling).unwrap();
        fs::write(folder.join("file"), "old").unwrap();
        put(&link_to_link, "changed").unwrap();
        put(&dangling, "made").unwrap();
        assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "changed");
        assert_eq!(fs::read_to_string(folder.join("new")).unwrap(), "made");
        for link in [&link, &link_to_link, &dangling] {
            assert!(fs::symlink_metadata(link).unwrap().is_symlink());
        }
        let [a, b] = ["a", "b"].map(|name| directory.path().join(name));
        symlink("b", &a).unwrap();
        symlink("a", &b).unwrap();
        assert!(put(&a, "x").unwrap_err().to_string().contains("links"));
        assert_eq!(names(&directory).len(), 6);
    }

    #[test]
    fn a_device_stays_a_device() {
        let directory = directory();
        let node = |name: &str, arguments: &[&str]| {
            let path = directory.path().join(name);
            run(Command::new("mknod").arg(&path).args(arguments).stderr(Stdio::null())).then_some(path)
        };
        // Nodes of this test: a mistake must not replace the system's. Only the superuser can make them.
        if let Some(null) = node("null", &["c", "1", "3"]) {
            let link = directory.path().join("link");
            symlink("null", &link).unwrap();
            for path in [&null, &link] {
                output::check(path).unwrap();
                put(path, "gone").unwrap();
                output::append(path, 7).unwrap().0.write_all(b"gone").unwrap();
                assert!(fs::metadata(path).unwrap().file_type().is_char_device());
            }
        }
        if let Some(full) = node("full", &["c", "1", "7"]) {
            let error = put(&full, "no room").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert!(output::append(&full, 0).unwrap().0.write_all(b"no room").is_err());
            assert!(fs::metadata(&full).unwrap().file_type().is_char_device());
        }
        if let Some(disk) = node("disk", &["b", "1", "200"]) {
            assert!(put(&disk, "x").unwrap_err().to_string().contains("disk"));
            assert!(output::check(&disk).is_err());
            assert!(output::append(&disk, 0).is_err());
        }
        assert!(!names(&directory).iter().any(|name| name.ends_with(".tmp")));
    }

    #[test]
    fn a_pipe_is_written_to() {
        let directory = directory();
        let pipe = directory.path().join("pipe");
        assert!(run(Command::new("mkfifo").arg(&pipe)));
        output::check(&pipe).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        put(&pipe, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    }

    #[test]
    fn standard_output_and_error() {
        if let Some(target) = env::var_os(CHILD) {
            println!("before");
            put(Path::new(&target), "whole\n").unwrap();
            let (mut file, length) = output::append(Path::new(&target), 3).unwrap();
            file.write_all(b"added\n").unwrap();
            assert_eq!(length, 0);
            assert_eq!(output::is_standard_output(Path::new(&target)), target != "/dev/stderr");
            println!("after");
            return;
        }
        let directory = directory();
        let file = directory.path().join("file");
        for path in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            if !Path::new(path).exists() {
                continue;
            }
            let mut command = child("standard_output_and_error", Path::new(path));
            // A pipe, then a file, which must be appended to where it stands.
            let piped = command.output().unwrap().stdout;
            assert!(command.stdout(fs::File::create(&file).unwrap()).status().unwrap().success());
            for text in [piped, fs::read(&file).unwrap()] {
                let text = String::from_utf8(text).unwrap();
                assert!(text.contains("before\nwhole\nadded\nafter\n"), "{path}: {text}");
            }
        }
        let errors = child("standard_output_and_error", Path::new("/dev/stderr")).output().unwrap();
        assert!(String::from_utf8_lossy(&errors.stderr).contains("whole\nadded\n"));
        assert_eq!(names(&directory), ["file"]);
    }

    #[test]
    fn what_a_killed_program_leaves_is_removed_by_the_next() {
        if let Some(target) = env::var_os(CHILD) {
            // Until it is killed.
            let _ = output::write(Path::new(&target), |file| {
                file.write_all(&[b'x'; 100_000])?;
                file.flush()?;
                std::thread::sleep(Duration::from_secs(60));
                Ok(())
            });
            return;
        }
        let directory = directory();
        let path = directory.path().join("model");
        put(&path, "old").unwrap();
        let mut writer = child("what_a_killed_program_leaves_is_removed_by_the_next", &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while names(&directory).len() < 2 && begin.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(100));
        let left = names(&directory);
        assert!(left[1].starts_with("model.") && left[1].ends_with(".tmp"), "{left:?}");
        // While it works, its file is not taken away.
        put(&path, "newer").unwrap();
        assert_eq!(names(&directory), left);
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "newer");
        assert_eq!(names(&directory), left);
        put(&path, "newest").unwrap();
        assert_eq!(names(&directory), ["model"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "newest");
    }
}
