//! What is installed on this machine. Nothing is changed here.

use std::env;
use std::ffi::{OsStr, OsString};
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
        None => Missing { compiler: true, openblas: true, mpi: false },
        Some(linked) => Missing { compiler: false, openblas: !linked, mpi: false },
    }
}

/// Whether an MPI is installed that programs can be built with and started by: its compiler, its launcher, and libclang, which reads its
/// headers.
pub(crate) fn has_mpi() -> bool {
    on_path("mpicc") && on_path("mpirun") && has_libclang()
}

/// Whether libclang is where the build looks for it.
fn has_libclang() -> bool {
    if env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let holds = |directory: &Path| {
        let files = fs::read_dir(directory).into_iter().flatten().flatten();
        files.map(|file| file.file_name().to_string_lossy().into_owned()).any(|name| is_libclang(&name))
    };
    let folders =
        ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/opt/llvm/lib", "/usr/local/opt/llvm/lib"];
    folders.iter().any(|folder| {
        let folder = Path::new(folder);
        // Debian's are in a folder for each version, or for each architecture.
        let inner = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        holds(folder) || inner.into_iter().any(|inner| holds(&inner) || holds(&inner.join("lib")))
    })
}

/// Whether a file of this name is libclang, and not the library of the same beginning for C++.
fn is_libclang(name: &str) -> bool {
    let is_shared = name.contains(".so") || name.ends_with(".dylib");
    is_shared
        && (name.starts_with("libclang.") || name.starts_with("libclang-"))
        && !name.starts_with("libclang-cpp")
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
    let mut paths = Vec::new();
    if let Ok(brew) = Command::new("brew").args(["--prefix", "openblas"]).output()
        && brew.status.success()
    {
        paths.push(format!("-L{}/lib", String::from_utf8_lossy(&brew.stdout).trim()));
    }
    links_by(compiler(), &paths)
}

/// Whether this compiler links a program with `-lopenblas`, with these arguments; `None` if it is not there.
pub(crate) fn links_by(compiler: impl AsRef<OsStr>, arguments: &[String]) -> Option<bool> {
    let object = env::temp_dir().join(format!("chainrule-setup-{}", process::id()));
    let mut cc = Command::new(compiler);
    cc.args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(&object);
    if let Some(directory) = env::var_os("OPENBLAS_LIB_DIR") {
        cc.arg("-L").arg(directory);
    }
    cc.args(arguments);
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
pub(crate) fn on_path(program: &str) -> bool {
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
    fn libclang_is_told_from_the_library_for_cpp() {
        for name in ["libclang.so", "libclang-14.so.1", "libclang.so.17", "libclang.dylib"] {
            assert!(is_libclang(name), "{name}");
        }
        for name in ["libclang-cpp.so.14", "libclang.a", "libclangAST.so", "clang.so"] {
            assert!(!is_libclang(name), "{name}");
        }
    }

    #[test]
    fn a_program_is_an_executable_file() {
        assert!(executable(Path::new("/bin/sh")));
        assert!(!executable(Path::new("/bin")));
        assert!(!executable(Path::new("/bin/there-is-no-such-program")));
    }
}
