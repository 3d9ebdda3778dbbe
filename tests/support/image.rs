//! A disk of its own for a daemon: ext4 in a file, by which its power can be cut.
//!
//! What the file system has not written to the disk is not in the file. A copy of the file is what
//! a machine finds that lost its power at that moment; `kill -9` cannot show this, as the kernel
//! keeps and writes what a killed process has written. Mounting takes the rights of an administrator.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted disk with the data of a daemon, until it is dropped.
#[derive(Debug)]
pub(crate) struct Image {
    file: PathBuf,
    machine: PathBuf,
}

impl Image {
    /// A new disk of so many MiB, `name` in `folder`.
    pub(crate) fn new(folder: &Path, name: &str, mebibytes: u64) -> Self {
        let file = folder.join(format!("{name}.ext4"));
        File::create(&file).unwrap().set_len(mebibytes << 20).unwrap();
        let mut format = Command::new("mkfs.ext4");
        run(format.arg("-q").arg(&file));
        Self::mount(folder, name, file)
    }

    /// The same disk as it is at this moment, in another machine so to speak.
    pub(crate) fn after_a_power_cut(&self, folder: &Path, name: &str) -> Self {
        let file = folder.join(format!("{name}.ext4"));
        // Holes stay holes: a copy takes milliseconds.
        run(Command::new("cp").arg("--sparse=always").arg(&self.file).arg(&file));
        Self::mount(folder, name, file)
    }

    /// The folder of the daemon: its data is on the disk, and its configuration is not.
    pub(crate) fn machine(&self) -> &Path {
        &self.machine
    }

    /// Has the system write all that it holds back.
    pub(crate) fn sync(&self) {
        run(Command::new("sync").arg("--file-system").arg(self.machine.join(DATA)));
    }

    /// From now on nothing can be written to it, as when the file system finds itself damaged.
    pub(crate) fn becomes_read_only(&self) {
        let mut loops = Command::new("losetup");
        let loops = loops.args(["--noheadings", "--output", "NAME", "--associated"]);
        let device = run(loops.arg(&self.file));
        let device = Path::new(device.trim()).file_name().expect("it is mounted by one");
        let trigger = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
        fs::write(&trigger, "1").unwrap_or_else(|error| panic!("{}: {error}", trigger.display()));
    }

    /// The same disk, once somebody has looked after it. Nobody may have files open there.
    pub(crate) fn repaired(self) -> Self {
        run(Command::new("umount").arg(self.machine.join(DATA)));
        let mut check = Command::new("e2fsck");
        let found = check.arg("-fy").arg(&self.file).output().unwrap();
        assert!(matches!(found.status.code(), Some(0 | 1)), "{found:?}");
        self.mounted();
        self
    }

    fn mount(folder: &Path, name: &str, file: PathBuf) -> Self {
        let machine = folder.join(name);
        fs::create_dir_all(machine.join(DATA)).unwrap();
        let image = Self { file, machine };
        image.mounted();
        image
    }

    fn mounted(&self) {
        // Nothing is written back by itself while a test lasts.
        let mut command = Command::new("mount");
        command.args(["-o", "loop,commit=600,errors=remount-ro"]);
        run(command.arg(&self.file).arg(self.machine.join(DATA)));
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Whoever still has files open there loses them, and the disk goes with the last of them.
        let mut unmount = Command::new("umount");
        let _gone = unmount.arg("--lazy").arg(self.machine.join(DATA)).status().is_ok();
        let _removed = fs::remove_file(&self.file).is_ok();
    }
}

/// What the command says.
#[track_caller]
fn run(command: &mut Command) -> String {
    let name = command.get_program().display().to_string();
    let output = command.output();
    let output =
        output.unwrap_or_else(|error| panic!("cannot start {name}, {error}: run `make test`"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}: disks are mounted as root alone");
    String::from_utf8(output.stdout).unwrap()
}

/// What daemons of tests call the folder of their data.
const DATA: &str = "data";
