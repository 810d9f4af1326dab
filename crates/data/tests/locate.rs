//! Where data sets are looked for. The environment belongs to a process, so this test runs itself in others.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use chainrule_data::locate::{VARIABLE, cache, locate};

/// Set in the processes that the test starts; they print what they find.
const CHILD: &str = "CHAINRULE_TEST_CHILD";

fn complete(directory: &Path) -> bool {
    directory.join("file").is_file()
}

#[test]
fn the_variable_and_then_the_cache() {
    if env::var_os(CHILD).is_some() {
        match locate("set", None, complete) {
            Ok(place) => println!("found {}", place.display()),
            Err(missing) => println!("named: {}, {missing}", missing.is_named()),
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [named, home, empty] = ["named", "home", "empty"].map(|name| directory.path().join(name));
    let run = |variables: &[(&str, &Path)]| {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "the_variable_and_then_the_cache", "--nocapture"]).env(CHILD, "1");
        for name in [VARIABLE, "HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"] {
            child.env_remove(name);
        }
        let output = child.envs(variables.iter().copied()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let base = if cfg!(windows) { "LOCALAPPDATA" } else { "HOME" };
    let below = if cfg!(windows) {
        "chainrule/set"
    } else if cfg!(target_os = "macos") {
        "Library/Caches/chainrule/set"
    } else {
        ".cache/chainrule/set"
    };
    for place in [named.join("set"), home.join(below), empty.clone()] {
        fs::create_dir_all(place).unwrap();
    }
    let expect = |variables: &[(&str, &Path)], text: &str| {
        let output = run(variables);
        assert!(output.contains(text), "{text} in {output}");
    };
    // Nothing anywhere yet, and not even a place to look in.
    expect(&[], "no cache directory");
    expect(&[(base, &home)], "named: false");
    fs::write(home.join(below).join("file"), "").unwrap();
    expect(&[(base, &home)], &format!("found {}", home.join(below).display()));
    fs::write(named.join("set/file"), "").unwrap();
    expect(&[(base, &home), (VARIABLE, &named)], &format!("found {}", named.join("set").display()));
    // What somebody named and has not got is not replaced by the cache.
    expect(&[(base, &home), (VARIABLE, &empty)], "named: true");
    assert!(cache("set").is_none_or(|place| place.ends_with("chainrule/set")));
}
