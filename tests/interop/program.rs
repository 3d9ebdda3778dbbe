//! The programs that send, found where `tests/interop/install` leaves them.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

/// A program that runs until it is dropped. What it said is printed when the test fails.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: PathBuf,
}

/// A program that is installed on this machine.
pub(crate) fn installed(name: &str) -> Command {
    plain(Command::new(name))
}

/// A program of a Debian package that was only unpacked, with the libraries it brought.
pub(crate) fn unpacked(path: &str) -> Command {
    let root = tools().join("debian");
    let program = root.join(path);
    assert!(program.exists(), "{} is missing: run `make test`", program.display());
    let folders = [MULTIARCH_USR, MULTIARCH, "usr/lib/syslog-ng"].map(|folder| root.join(folder));
    let mut command = plain(Command::new(program));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(folders).unwrap());
    command
}

/// A folder of the unpacked Debian packages.
pub(crate) fn unpacked_folder(path: &str) -> PathBuf {
    tools().join("debian").join(path)
}

/// Python, with the packages fetched for the tests, on a script of `clients/`.
pub(crate) fn python(script: &str) -> Command {
    python_of("python", script)
}

/// The same with the packages of a folder of its own.
pub(crate) fn python_of(folder: &str, script: &str) -> Command {
    let mut command = installed("python3");
    command.env("PYTHONPATH", tools().join(folder)).arg(clients().join(script));
    command
}

/// Node.js, with the packages fetched for the tests, on a script of `clients/`.
pub(crate) fn node(script: &str) -> Command {
    node_of("npm", script)
}

/// The same with the packages of a folder of its own.
pub(crate) fn node_of(folder: &str, script: &str) -> Command {
    let mut command = installed("node");
    let modules = tools().join(folder).join("node_modules");
    command.env("NODE_PATH", modules).arg(clients().join(script));
    command
}

/// A program that was built for the tests.
pub(crate) fn program_of(path: &str) -> Command {
    plain(Command::new(tools().join(path)))
}

/// Starts it, with `name`.log in `folder` for what it says.
pub(crate) fn start(mut command: Command, folder: &Path, name: &str) -> Running {
    let log = folder.join(format!("{name}.log"));
    let output = File::create(&log).unwrap();
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let child = command.spawn().unwrap_or_else(|error| missing(&command, &error));
    Running { child, log }
}

/// Runs it to its end, which has to be a good one, and returns what it wrote.
#[track_caller]
pub(crate) fn run(command: Command) -> String {
    run_with(command, b"")
}

/// As [`run`], with `input` for its standard input.
#[track_caller]
pub(crate) fn run_with(command: Command, input: &[u8]) -> String {
    let output = output_of(command, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it to whatever end, with `input` for its standard input.
pub(crate) fn output_of(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| missing(&command, &error));
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // A program that does not read its input to the end has a reason, seen in its status.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    })
}

impl Running {
    /// What it has said so far, in whole lines.
    pub(crate) fn said(&self) -> String {
        let mut said = fs::read(&self.log).unwrap();
        said.truncate(said.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            let said = fs::read(&self.log).unwrap_or_default();
            eprintln!("== {} said:\n{}", self.log.display(), String::from_utf8_lossy(&said));
        }
    }
}

/// Without the settings of whoever runs the tests, and with times in UTC.
fn plain(mut command: Command) -> Command {
    command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    command
}

fn missing(command: &Command, error: &std::io::Error) -> ! {
    let name = command.get_program().display();
    panic!("cannot start {name}, {error}: run `make test`, which installs it")
}

/// Where `tests/interop/install` leaves what it fetches.
pub(crate) fn tools() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/logtrace-tools");
    std::env::var_os("LOGTRACE_TOOLS").map_or_else(home, PathBuf::from)
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/clients")
}

#[cfg(target_arch = "x86_64")]
const MULTIARCH: &str = "lib/x86_64-linux-gnu";

#[cfg(target_arch = "x86_64")]
const MULTIARCH_USR: &str = "usr/lib/x86_64-linux-gnu";

#[cfg(target_arch = "aarch64")]
const MULTIARCH: &str = "lib/aarch64-linux-gnu";

#[cfg(target_arch = "aarch64")]
const MULTIARCH_USR: &str = "usr/lib/aarch64-linux-gnu";
