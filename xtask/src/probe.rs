//! What is installed on this machine. Nothing is changed here.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::{self, Command, Stdio};

use crate::setup::{Manager, Missing, PackageAccess};

/// What the default build needs and does not find. This works on Unix alone: elsewhere nothing counts as missing,
/// and the build finds OpenBLAS through vcpkg or reports that it cannot.
pub(crate) fn missing() -> Missing {
    if !cfg!(unix) {
        return Missing::default();
    }
    match links() {
        None => Missing { compiler: true, openblas: true },
        Some(linked) => Missing { compiler: false, openblas: !linked },
    }
}

/// How packages can be installed here.
pub(crate) fn machine() -> PackageAccess {
    PackageAccess {
        manager: Manager::ALL.into_iter().find(|manager| on_path(manager.program())),
        root: Command::new("id")
            .arg("-u")
            .stderr(Stdio::null())
            .output()
            .is_ok_and(|id| id.stdout.trim_ascii() == b"0"),
        // Without a password, or with a terminal to type one.
        sudo: on_path("sudo")
            && (io::stdin().is_terminal() || succeeds(Command::new("sudo").args(["-n", "true"]))),
    }
}

/// The C compiler that the build of the tensor crate calls.
pub(crate) fn compiler() -> OsString {
    env::var_os("CC").unwrap_or_else(|| "cc".into())
}

/// Whether a program links with `-lopenblas`, by the same test as the build of the tensor crate; `None` without a C
/// compiler.
fn links() -> Option<bool> {
    let object = env::temp_dir().join(format!("chainrule-setup-{}", process::id()));
    let mut cc = Command::new(compiler());
    cc.args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(&object);
    if let Some(directory) = env::var_os("OPENBLAS_LIB_DIR") {
        cc.arg("-L").arg(directory);
    }
    if let Ok(brew) = Command::new("brew").args(["--prefix", "openblas"]).output()
        && brew.status.success()
    {
        cc.arg(format!("-L{}/lib", String::from_utf8_lossy(&brew.stdout).trim()));
    }
    let linked = quiet(cc.arg("-lopenblas")).status();
    // There is nothing to remove if the link failed.
    let _ = fs::remove_file(object);
    linked.ok().map(|status| status.success())
}

fn succeeds(command: &mut Command) -> bool {
    quiet(command).status().is_ok_and(|status| status.success())
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Whether a directory of `PATH` holds a program of this name.
fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| executable(&directory.join(program)))
}

#[cfg(unix)]
fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn executable(file: &Path) -> bool {
    file.with_extension("exe").is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_an_executable_file() {
        assert!(executable(Path::new("/bin/sh")));
        assert!(!executable(Path::new("/bin")));
        assert!(!executable(Path::new("/bin/there-is-no-such-program")));
    }
}
