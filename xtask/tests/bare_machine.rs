//! The built xtask on machines made of shell scripts: `PATH` is a directory of fakes that record how they
//! were called, so nothing is installed and nothing is built.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

/// Fails to link until the fake package manager has made `installed`.
const CC: &str = "[ -e \"$FAKES/installed\" ]";
const INSTALL: &str = "case \"$*\" in *install*) : > \"$FAKES/installed\" ;; esac";
const ROOT: &str = "echo 0";
const USER: &str = "echo 1000";
/// As sudo does when it needs no password.
const SUDO: &str = "[ \"$1\" = -n ] && exit 0; exec \"$@\"";
const REFUSE: &str = "exit 1";

/// Held while fakes are written and while a process is started: a child of another test that is about to
/// start has inherited the file being written, and until it has let go the kernel calls that file busy.
static FILES: Mutex<()> = Mutex::new(());

struct Machine(TempDir);

impl Machine {
    fn new(programs: &[(&str, &str)]) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        let _writing = FILES.lock().unwrap();
        for (name, body) in programs {
            let script = format!("#!/bin/sh\necho \"{name} $*\" >> \"$FAKES/log\"\n{body}\n");
            let file = machine.path(name);
            fs::write(&file, script).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink("/usr/bin/env", machine.path("env")).unwrap();
        // A checkout of empty crates.
        let manifest =
            "[workspace]\nmembers = [\"crates/*\", \"xtask\"]\n\n[workspace.package]\nversion = \"1.2.3\"\n";
        fs::write(machine.path("Cargo.toml"), manifest).unwrap();
        fs::write(machine.path("Cargo.lock"), "").unwrap();
        for name in ["tensor", "core", "train", "layers"] {
            let source = machine.path("crates").join(name).join("src");
            fs::create_dir_all(&source).unwrap();
            fs::write(source.join("lib.rs"), "").unwrap();
            let publish = if name == "layers" { "publish = false\n" } else { "" };
            let manifest = format!("[package]\nname = \"chainrule-{name}\"\n{publish}");
            fs::write(source.with_file_name("Cargo.toml"), manifest).unwrap();
        }
        fs::create_dir(machine.path("xtask")).unwrap();
        fs::write(machine.path("xtask/Cargo.toml"), "[package]\nname = \"xtask\"\npublish = false\n")
            .unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.args(arguments).env_clear().env("PATH", self.0.path()).env("FAKES", self.0.path());
        xtask.env("CARGO_MANIFEST_DIR", self.path("xtask"));
        xtask
    }

    fn xtask(&self, arguments: &[&str]) -> Output {
        run(self.command(arguments))
    }

    /// The calls so far of what changes something: neither the compiler nor questions.
    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let question =
            |line: &&str| line.starts_with("cc ") || line.starts_with("id ") || line.contains("-n true");
        log.lines().filter(|line| !question(line)).map(str::to_owned).collect()
    }
}

fn run(mut command: Command) -> Output {
    let starting = FILES.lock().unwrap();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(starting);
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const UPDATE: &str = "apt-get update";
const APT: &str = "apt-get install -y libopenblas-dev";

#[test]
fn root_installs_what_is_missing_once() {
    let machine = Machine::new(&[("cc", CC), ("id", ROOT), ("apt-get", INSTALL)]);
    let first = machine.xtask(&["setup"]);
    assert!(first.status.success(), "{}", said(&first));
    assert!(said(&first).contains("not installed on this system: OpenBLAS."), "{}", said(&first));
    assert_eq!(machine.calls(), [UPDATE, APT]);
    assert!(machine.xtask(&["setup"]).status.success());
    assert_eq!(machine.calls().len(), 2, "nothing is left to install");
}

#[test]
fn apt_get_asks_no_questions() {
    let apt = "[ \"$1 $DEBIAN_FRONTEND\" = 'install noninteractive' ] && : > \"$FAKES/installed\"";
    let machine = Machine::new(&[("cc", CC), ("id", ROOT), ("apt-get", apt)]);
    assert!(machine.xtask(&["setup"]).status.success());
}

#[test]
fn a_source_that_cannot_be_updated_does_not_end_the_installation() {
    let apt = format!("[ \"$1\" = update ] && exit 100\n{INSTALL}");
    let machine = Machine::new(&[("cc", CC), ("id", ROOT), ("apt-get", &apt)]);
    assert!(machine.xtask(&["setup"]).status.success());
}

#[test]
fn other_users_install_through_sudo() {
    let machine = Machine::new(&[("cc", CC), ("id", USER), ("sudo", SUDO), ("dnf", INSTALL)]);
    assert!(machine.xtask(&["setup"]).status.success());
    let install = "dnf install -y openblas-devel";
    assert_eq!(machine.calls(), [format!("sudo {install}"), install.to_owned()]);
}

#[test]
fn the_system_s_package_manager_comes_before_homebrew() {
    let machine = Machine::new(&[("cc", CC), ("id", ROOT), ("brew", INSTALL), ("zypper", INSTALL)]);
    assert!(machine.xtask(&["setup"]).status.success());
    let installs: Vec<_> = machine.calls().into_iter().filter(|call| call.contains("install")).collect();
    assert_eq!(installs, ["zypper --non-interactive install openblas-devel"]);
}

#[test]
fn homebrew_s_own_directory_is_searched() {
    let cc = "case \"$*\" in *-L/keg/lib*) exit 0 ;; esac; exit 1";
    let brew = "[ \"$*\" = '--prefix openblas' ] && [ -e \"$FAKES/installed\" ] && echo /keg && exit 0
[ \"$*\" = 'install openblas' ] && : > \"$FAKES/installed\"";
    let machine = Machine::new(&[("cc", cc), ("id", USER), ("brew", brew)]);
    let output = machine.xtask(&["setup"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(machine.calls().contains(&"brew install openblas".to_owned()));
}

#[test]
fn without_the_right_to_install_the_command_is_shown() {
    let machine = Machine::new(&[("cc", CC), ("id", USER), ("sudo", REFUSE), ("apt-get", INSTALL)]);
    for arguments in [&["setup"][..], &["train-mnist"]] {
        let output = machine.xtask(arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = said(&output);
        assert!(said.contains(&format!("sudo env DEBIAN_FRONTEND=noninteractive {APT}")), "{said}");
        assert!(said.contains("--blas none"), "{said}");
    }
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn without_a_compiler_no_other_blas_is_recommended() {
    let machine = Machine::new(&[("id", USER), ("dnf", INSTALL)]);
    let output = machine.xtask(&["train-mnist"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("sudo dnf install -y gcc openblas-devel"), "{said}");
    assert!(!said.contains("--blas none"), "{said}");
}

#[test]
fn a_dry_run_installs_nothing() {
    let machine = Machine::new(&[("cc", CC), ("id", ROOT), ("apk", INSTALL)]);
    let output = machine.xtask(&["setup", "--dry-run"]);
    assert!(output.status.success());
    assert!(said(&output).contains("apk add --no-cache openblas-dev"), "{}", said(&output));
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn an_installation_that_brings_nothing_is_a_failure() {
    let machine = Machine::new(&[("cc", REFUSE), ("id", ROOT), ("zypper", "")]);
    let output = machine.xtask(&["setup"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("still not found: OpenBLAS."), "{}", said(&output));
}

#[test]
fn without_a_compiler_one_is_installed() {
    let pacman = "printf '#!/bin/sh\\n' > \"$FAKES/cc\"; /bin/chmod +x \"$FAKES/cc\"";
    let machine = Machine::new(&[("id", ROOT), ("pacman", pacman)]);
    let output = machine.xtask(&["setup"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(machine.calls(), ["pacman -Sy --noconfirm --needed gcc openblas"]);
}

#[test]
fn the_program_is_built_and_its_status_passed_through() {
    let machine = Machine::new(&[("cc", CC), ("id", ROOT), ("apt-get", INSTALL), ("cargo", "exit 7")]);
    let output = machine.xtask(&["train-mnist", "--lr", "0.1"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(said(&output).contains("building the release program"), "{}", said(&output));
    let cargo = "cargo run --release -p chainrule-cli --bin chainrule -- train-mnist --lr 0.1";
    assert_eq!(machine.calls(), [UPDATE, APT, cargo]);
    assert_eq!(machine.xtask(&["bench", "--quick"]).status.code(), Some(7));
    let bench = "cargo run --release -p chainrule-benches --bin steps -- --quick";
    assert_eq!(machine.calls()[3..], [bench]);
}

#[test]
fn another_blas_needs_no_setup() {
    let machine = Machine::new(&[("cc", CC), ("id", USER), ("cargo", "")]);
    assert!(machine.xtask(&["train-mnist", "--blas", "none", "--seed", "1"]).status.success());
    assert!(machine.xtask(&["doctor", "--blas=netlib"]).status.success());
    let cargo = "cargo run --release -p chainrule-cli --bin chainrule --no-default-features";
    let expected =
        [format!("{cargo} -- train-mnist --seed 1"), format!("{cargo} --features netlib -- doctor")];
    assert_eq!(machine.calls(), expected);
}

#[test]
fn help_of_the_programs_installs_and_builds_nothing() {
    let machine = Machine::new(&[("cc", CC), ("id", ROOT), ("apt-get", INSTALL), ("cargo", "")]);
    for command in ["train-mnist", "doctor", "bench"] {
        let output = machine.xtask(&[command, "--help"]);
        assert!(output.status.success());
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.contains(&format!("Usage: cargo xtask {command}")), "{help}");
    }
    assert_eq!(machine.calls(), [""; 0], "and builds nothing");
}

#[test]
fn the_first_failing_step_stops_the_run_and_says_how_to_repeat_it() {
    let machine = Machine::new(&[("cargo", "[ \"$1\" != clippy ]")]);
    let output = machine.xtask(&["test"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cargo xtask test --only clippy"), "{}", said(&output));
    let calls = machine.calls();
    assert_eq!(calls.first().unwrap(), "cargo fmt --all --check");
    assert_eq!(calls.last().unwrap(), "cargo clippy --workspace --all-targets -- -D warnings");
}

#[test]
fn all_steps_run_in_order_and_doc_denies_warnings() {
    let cargo = "echo \"  flags $RUSTDOCFLAGS$RUSTFLAGS\" >> \"$FAKES/log\"";
    let machine = Machine::new(&[("cargo", cargo), ("tar", "")]);
    let output = machine.xtask(&["test", "--no-gate"]);
    assert!(output.status.success(), "{}", said(&output));
    let calls = machine.calls();
    // The choices of features are those of the step `tree`, which has its own tests.
    let calls: Vec<&str> =
        calls.iter().map(String::as_str).filter(|call| !call.starts_with("cargo tree")).collect();
    let with_flags: Vec<&str> =
        calls.windows(2).filter(|pair| pair[1] == "  flags -D warnings").map(|pair| pair[0]).collect();
    assert_eq!(with_flags, ["cargo doc --workspace --no-deps"]);
    let commands: Vec<&str> = calls.into_iter().filter(|call| call.starts_with("cargo ")).collect();
    let expected = [
        "cargo fmt --all --check",
        "cargo clippy --workspace --all-targets -- -D warnings",
        "cargo test --workspace --profile checks --no-fail-fast",
        "cargo doc --workspace --no-deps",
        "cargo test -p chainrule-tensor --no-default-features --profile checks",
        "cargo check -p chainrule --no-default-features",
        "cargo package --workspace --no-verify --allow-dirty --quiet --exclude chainrule-layers --exclude xtask",
        "cargo check --quiet -p chainrule-core",
        "cargo check --quiet -p chainrule-tensor",
        "cargo check --quiet -p chainrule-train",
        "cargo deny --version",
        "cargo deny --workspace check licenses bans sources",
        "cargo deny fetch db",
        "cargo deny --workspace check --disable-fetch advisories",
        "cargo run --release -p chainrule-benches --bin steps -- --quick --check",
    ];
    assert_eq!(commands, expected);
}

#[test]
fn deny_is_skipped_aloud_where_it_is_not_installed() {
    let machine = Machine::new(&[("cargo", "[ \"$1\" != deny ]")]);
    let output = machine.xtask(&["test", "--only", "deny"]);
    assert!(output.status.success(), "{}", said(&output));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("deny: SKIPPED: cargo-deny is not installed"), "{printed}");
    assert!(printed.contains("all passed, deny skipped"), "{printed}");
    assert_eq!(machine.calls(), ["cargo deny --version"]);
}

/// A directory with files of the names that MNIST's have.
fn mnist() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    for name in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] {
        fs::write(data.path().join(format!("{name}-ubyte.gz")), "").unwrap();
    }
    data
}

#[test]
fn a_training_is_not_judged_by_the_report_of_an_earlier_one() {
    let once = r#"
[ -e "$FAKES/reported" ] && exit 0
: > "$FAKES/reported"
while [ "$1" != --json ]; do shift; done
echo '{"dataset": "mnist", "test_accuracy": 0.98, "params_sha256": "0f"}' > "$2""#;
    let machine = Machine::new(&[("cargo", once)]);
    let data = mnist();
    let mut gate = machine.command(&["test", "--only", "gate"]);
    gate.env("CHAINRULE_DATA", data.path());
    let output = run(gate);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("report.json"), "{}", said(&output));
    assert_eq!(machine.calls().len(), 2, "the second training left no report");
}

#[test]
fn the_gate_trains_on_mnist_and_is_skipped_aloud_without_it() {
    let report = r#"
while [ "$1" != --json ]; do shift; done
echo '{"dataset": "mnist", "test_accuracy": 0.98, "params_sha256": "0f"}' > "$2""#;
    let machine = Machine::new(&[("cargo", report)]);
    let skipped = machine.xtask(&["test", "--only", "gate"]);
    assert!(skipped.status.success());
    assert!(String::from_utf8_lossy(&skipped.stdout).contains("gate: SKIPPED"));
    assert_eq!(machine.calls(), [""; 0]);

    let data = mnist();
    let mut gate = machine.command(&["test", "--only", "gate"]);
    gate.env("CHAINRULE_DATA", data.path());
    let passed = run(gate);
    assert!(passed.status.success(), "{}", said(&passed));
    let calls = machine.calls();
    assert_eq!(calls.len(), 7);
    assert!(calls[4].contains("train-mnist --dataset mnist --epochs 5 --seed 4 "), "{}", calls[4]);
    assert!(calls[6].contains("--epochs 1 --seed 0 --threads 2 "), "{}", calls[6]);
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let machine = Machine::new(&[]);
    for (arguments, nearest) in [
        (&["train-mnits"][..], "`train-mnist`"),
        (&["setup", "--dryrun"], "`--dry-run`"),
        (&["test", "--only", "docs"], "`doc`"),
        (&["bench", "--blas", "openbals"], "`openblas`"),
    ] {
        let output = machine.xtask(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(&format!("the nearest is {nearest}")), "{}", said(&output));
    }
}

#[test]
fn without_a_command_the_commands_are_listed() {
    let machine = Machine::new(&[]);
    for arguments in [&[][..], &["--help"], &["help"], &["setup", "--help"]] {
        let output = machine.xtask(arguments);
        assert!(output.status.success());
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        for command in ["setup", "train-mnist", "doctor", "bench", "test"] {
            assert!(help.contains(&format!("\n  {command} ")), "{help}");
        }
    }
}
