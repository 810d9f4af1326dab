//! `setup`: looks for a C compiler and for OpenBLAS, and installs what is missing.
//!
//! [`crate::probe`] finds the facts, [`plan`] decides from them what to do, and [`run`] carries it out and checks
//! again.

use std::fmt;
use std::io;
use std::process::{Command, Stdio};

use crate::{Stop, nearest::nearest, print, probe};

/// What the default build needs and does not find.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Missing {
    /// No C compiler could be started.
    pub(crate) compiler: bool,
    /// A program does not link with OpenBLAS.
    pub(crate) openblas: bool,
    /// An MPI with its headers, or libclang, which reads them, is not there, but wanted.
    pub(crate) mpi: bool,
}

impl Missing {
    pub(crate) fn nothing(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compiler, openblas, mpi } = *self;
        let all = [(compiler, "a C compiler"), (openblas, "OpenBLAS"), (mpi, "MPI with libclang")];
        let named: Vec<&str> =
            all.into_iter().filter(|(missing, _)| *missing).map(|(_, name)| name).collect();
        match &named[..] {
            [] => f.write_str("nothing"),
            [only] => f.write_str(only),
            [others @ .., last] => write!(f, "{} and {last}", others.join(", ")),
        }
    }
}

/// The means of installing packages on a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackageAccess {
    /// The package manager; `None` where there is none we know.
    pub(crate) manager: Option<Manager>,
    /// Whether we are root.
    pub(crate) root: bool,
    /// Whether `sudo` is there and will let us, perhaps after asking for a password.
    pub(crate) sudo: bool,
}

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Manager {
    AptGet,
    Dnf,
    Zypper,
    Apk,
    Pacman,
    Brew,
}

impl Manager {
    /// In the order of preference: Homebrew last, since on Linux the system has a manager of its own.
    pub(crate) const ALL: [Self; 6] =
        [Self::AptGet, Self::Dnf, Self::Zypper, Self::Apk, Self::Pacman, Self::Brew];

    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::AptGet => "apt-get",
            Self::Dnf => "dnf",
            Self::Zypper => "zypper",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
            Self::Brew => "brew",
        }
    }

    /// The packages of a C compiler and of OpenBLAS with what linking needs.
    fn packages(self) -> (&'static str, &'static str) {
        match self {
            Self::AptGet => ("build-essential", "libopenblas-dev"),
            Self::Dnf | Self::Zypper => ("gcc", "openblas-devel"),
            Self::Apk => ("build-base", "openblas-dev"),
            Self::Pacman | Self::Brew => ("gcc", "openblas"),
        }
    }

    /// The packages of an MPI with its headers, and of libclang.
    fn mpi_packages(self) -> &'static [&'static str] {
        match self {
            Self::AptGet => &["openmpi-bin", "libopenmpi-dev", "libclang-dev"],
            Self::Dnf => &["openmpi-devel", "clang-devel"],
            Self::Zypper => &["openmpi4-devel", "clang-devel"],
            Self::Apk => &["openmpi-dev", "clang-dev"],
            Self::Pacman => &["openmpi", "clang"],
            Self::Brew => &["open-mpi", "llvm"],
        }
    }

    /// The commands that install what is missing, to be run as root (Homebrew: as any other user).
    fn commands(self, missing: Missing) -> Vec<CommandLine> {
        let (compiler, openblas) = self.packages();
        let mut install = CommandLine::new(match self {
            Self::AptGet => &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y"],
            Self::Dnf => &["dnf", "install", "-y"],
            Self::Zypper => &["zypper", "--non-interactive", "install"],
            Self::Apk => &["apk", "add", "--no-cache"],
            Self::Pacman => &["pacman", "-Sy", "--noconfirm", "--needed"],
            Self::Brew => &["brew", "install"],
        });
        install.words.extend(missing.compiler.then_some(compiler));
        install.words.extend(missing.openblas.then_some(openblas));
        if missing.mpi {
            install.words.extend(self.mpi_packages());
        }
        match self {
            // A source that cannot be reached must not keep us from a package that another one has.
            Self::AptGet => {
                vec![CommandLine { may_fail: true, ..CommandLine::new(&["apt-get", "update"]) }, install]
            }
            _ => vec![install],
        }
    }
}

/// One command of an installation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommandLine {
    words: Vec<&'static str>,
    /// Whether the commands after it are worth trying though it failed.
    may_fail: bool,
}

impl CommandLine {
    fn new(words: &[&'static str]) -> Self {
        Self { words: words.to_vec(), may_fail: false }
    }

    fn with_sudo(mut self) -> Self {
        self.words.insert(0, "sudo");
        self
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// What is to be done about what is missing.
#[derive(Debug, PartialEq)]
pub(crate) enum InstallPlan {
    /// Run these.
    Install(Vec<CommandLine>),
    /// We may not: the user has to have these run.
    Ask(Vec<CommandLine>),
    /// We know no package manager here.
    NoManager,
}

/// Decides how to install what is missing.
pub(crate) fn plan(missing: Missing, machine: PackageAccess) -> InstallPlan {
    let Some(manager) = machine.manager else { return InstallPlan::NoManager };
    let lines = manager.commands(missing);
    let with_sudo = |lines: Vec<CommandLine>| lines.into_iter().map(CommandLine::with_sudo).collect();
    match (manager, machine) {
        // Homebrew refuses to run as root.
        (Manager::Brew, PackageAccess { root: true, .. }) => InstallPlan::Ask(lines),
        (Manager::Brew, _) | (_, PackageAccess { root: true, .. }) => InstallPlan::Install(lines),
        (_, PackageAccess { sudo: true, .. }) => InstallPlan::Install(with_sudo(lines)),
        _ => InstallPlan::Ask(with_sudo(lines)),
    }
}

/// Runs `cargo xtask setup` with these arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), Stop> {
    let mut dry_run = false;
    let mut mpi = false;
    for argument in arguments {
        match argument.as_str() {
            "--dry-run" => dry_run = true,
            "--mpi" => mpi = true,
            unknown => {
                let nearest = nearest(unknown, &["--dry-run", "--mpi", "--help"]);
                return Err(Stop::Usage(format!("setup knows no `{unknown}`; the nearest is `{nearest}`.")));
            }
        }
    }
    set_up(dry_run, mpi)
}

/// Installs what is missing, an MPI only if it is wanted; with `dry_run` only says how.
pub(crate) fn set_up(dry_run: bool, mpi: bool) -> Result<(), Stop> {
    if !cfg!(unix) {
        print::note(
            "setup: this system cannot be set up by xtask; `vcpkg install openblas` brings OpenBLAS.",
        );
        return Ok(());
    }
    let missing = || Missing { mpi: mpi && !probe::has_mpi(), ..probe::missing() };
    let what = if mpi { "a C compiler, OpenBLAS and MPI" } else { "a C compiler and OpenBLAS" };
    let missing_before = missing();
    if missing_before.nothing() {
        print::note(format_args!("setup: {what} are installed."));
        return Ok(());
    }
    print::note(format_args!("setup: not installed on this system: {missing_before}."));
    match plan(missing_before, probe::machine()) {
        InstallPlan::Install(lines) if dry_run => {
            print::note(format_args!("setup: would run\n{}", listed(&lines)))
        }
        InstallPlan::Install(lines) => {
            for line in &lines {
                execute(line).map_err(|trouble| failed(missing_before, trouble))?;
            }
            let missing = missing();
            if !missing.nothing() {
                let compiler = probe::compiler();
                let why = format!("{} -shared -x c /dev/null -o /dev/null -lopenblas", compiler.display());
                return Err(failed(
                    missing,
                    format!(
                        "the packages were installed, but still not found: {missing}. This says why:\n  {why}"
                    ),
                ));
            }
            print::note(format_args!("setup: done; {what} are installed."));
        }
        InstallPlan::Ask(lines) => {
            let lines = listed(&lines);
            return Err(failed(
                missing_before,
                format!("{missing_before} cannot be installed by this user. Install it with\n{lines}"),
            ));
        }
        InstallPlan::NoManager => {
            let known = Manager::ALL.map(Manager::program).join(", ");
            return Err(failed(
                missing_before,
                format!(
                    "no package manager was found to install {missing_before} (looked for {known}).\nInstall it by \
                     hand; if OpenBLAS is in a directory of its own, set OPENBLAS_LIB_DIR to that."
                ),
            ));
        }
    }
    Ok(())
}

fn execute(line: &CommandLine) -> Result<(), String> {
    print::note(format_args!("setup: {line}"));
    let status = Command::new(line.words[0])
        .args(&line.words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::from(io::stderr()))
        .status();
    let trouble = match status {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("`{line}` failed ({status})."),
        Err(error) => format!("`{line}` could not be started: {error}."),
    };
    if line.may_fail {
        print::note(format_args!("setup: {trouble} Going on."));
        return Ok(());
    }
    Err(trouble)
}

/// A failure, and the way to train all the same; there is none without a C compiler, which links the program.
fn failed(missing: Missing, message: String) -> Stop {
    Stop::Failed(match missing.compiler || !missing.openblas {
        true => message,
        false => format!("{message}\nWithout OpenBLAS, slower: cargo xtask train-mnist --blas none"),
    })
}

fn listed(lines: &[CommandLine]) -> String {
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENBLAS: Missing = Missing { compiler: false, openblas: true, mpi: false };

    fn planned(missing: Missing, manager: Manager, root: bool, sudo: bool) -> (&'static str, String) {
        match plan(missing, PackageAccess { manager: Some(manager), root, sudo }) {
            InstallPlan::Install(lines) => ("install", listed(&lines)),
            InstallPlan::Ask(lines) => ("ask", listed(&lines)),
            InstallPlan::NoManager => panic!("a manager was given"),
        }
    }

    #[test]
    fn root_installs_directly_though_there_is_sudo() {
        let expected =
            "  apt-get update\n  env DEBIAN_FRONTEND=noninteractive apt-get install -y libopenblas-dev";
        for sudo in [false, true] {
            assert_eq!(planned(OPENBLAS, Manager::AptGet, true, sudo), ("install", expected.into()));
        }
    }

    #[test]
    fn other_users_go_through_sudo_or_are_told_the_command() {
        let expected = "  sudo apt-get update\n  \
                        sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y libopenblas-dev";
        assert_eq!(planned(OPENBLAS, Manager::AptGet, false, true), ("install", expected.into()));
        assert_eq!(planned(OPENBLAS, Manager::AptGet, false, false), ("ask", expected.into()));
    }

    #[test]
    fn homebrew_never_runs_as_root() {
        assert_eq!(
            planned(OPENBLAS, Manager::Brew, false, true),
            ("install", "  brew install openblas".into())
        );
        assert_eq!(planned(OPENBLAS, Manager::Brew, true, true), ("ask", "  brew install openblas".into()));
    }

    #[test]
    fn every_manager_has_its_command() {
        let expected = [
            (Manager::Dnf, "  dnf install -y openblas-devel"),
            (Manager::Zypper, "  zypper --non-interactive install openblas-devel"),
            (Manager::Apk, "  apk add --no-cache openblas-dev"),
            (Manager::Pacman, "  pacman -Sy --noconfirm --needed openblas"),
        ];
        for (manager, line) in expected {
            assert_eq!(planned(OPENBLAS, manager, true, false), ("install", line.into()));
        }
    }

    #[test]
    fn a_missing_compiler_is_installed_with_it() {
        let both = Missing { compiler: true, ..OPENBLAS };
        assert_eq!(planned(both, Manager::Dnf, true, false).1, "  dnf install -y gcc openblas-devel");
        assert_eq!(both.to_string(), "a C compiler and OpenBLAS");
    }

    #[test]
    fn mpi_comes_with_what_reads_its_headers() {
        let all = Missing { compiler: true, openblas: true, mpi: true };
        let expected = "  dnf install -y gcc openblas-devel openmpi-devel clang-devel";
        assert_eq!(planned(all, Manager::Dnf, true, false).1, expected);
        assert_eq!(all.to_string(), "a C compiler, OpenBLAS and MPI with libclang");
        let only = Missing { mpi: true, ..Missing::default() };
        let expected = "  brew install open-mpi llvm";
        assert_eq!(planned(only, Manager::Brew, false, false).1, expected);
    }

    #[test]
    fn without_a_manager_there_is_no_command() {
        let machine = PackageAccess { manager: None, root: true, sudo: true };
        assert_eq!(plan(OPENBLAS, machine), InstallPlan::NoManager);
    }
}
