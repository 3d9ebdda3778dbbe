//! How much room there is, and the ballast that is thrown overboard when there is none.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use rustix::fs::{FallocateFlags, StatVfsMountFlags, fallocate, statfs, statvfs};
use serde::{Deserialize, Serialize};

use super::{ENGINE, Error};

/// Section `[store.disk]`: what is kept free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskConfig {
    /// With less than this free, nothing is acknowledged until there is room again. Never taken to
    /// be more than a quarter of the disk. Default: 1 GiB. Range: 1 MiB to 1 TiB.
    pub min_free: ByteSize,
    /// …or with less than this share of the disk, whichever is more. Default: 2. Range: 0 to 25.
    pub min_free_percent: u64,
    /// A file that only takes room: it is removed when the disk is full all the same, so that
    /// deletes can be committed, and made again once there is room. Never taken to be more than a
    /// sixteenth of the disk. Default: 64 MiB. Range: 0 B, which is none, to 64 GiB.
    pub ballast: ByteSize,
}

/// What a file system has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this process may still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
    /// Files that may still be made; `u64::MAX` where the file system counts none.
    pub files: u64,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// The file that only takes room.
#[derive(Debug)]
pub struct Ballast {
    path: PathBuf,
    len: u64,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self { min_free: ByteSize::gib(1), min_free_percent: 2, ballast: ByteSize::mib(64) }
    }
}

impl DiskConfig {
    /// The bytes that are to stay free on a disk of `total`.
    pub fn floor(&self, total: u64) -> u64 {
        let share = (total / 100).saturating_mul(self.min_free_percent);
        self.min_free.as_u64().max(share).min(total / 4)
    }
}

impl Space {
    /// That of the file system that `path` is on.
    ///
    /// # Errors
    ///
    /// When `path` is gone, or the system does not say.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = statvfs(path)?;
        let unit = if found.f_frsize == 0 { found.f_bsize } else { found.f_frsize };
        Ok(Self {
            free: found.f_bavail.saturating_mul(unit),
            total: found.f_blocks.saturating_mul(unit),
            files: if found.f_files == 0 { u64::MAX } else { found.f_favail },
            read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }

    /// What an operator should know of where the store in `folder` lies: on a file system of another
    /// machine, or on more than one.
    pub fn doubts(folder: &Path) -> Vec<String> {
        let mut doubts = Vec::new();
        let engine = folder.join(ENGINE);
        for path in [folder, &engine] {
            if statfs(path).is_ok_and(|found| is_remote(found.f_type)) {
                let path = path.display();
                doubts.push(format!("{path} is on another machine: locks and syncs may not hold"));
            }
        }
        let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
        if device(&engine).is_some_and(|device_of| Some(device_of) != device(folder)) {
            let (engine, folder) = (engine.display(), folder.display());
            doubts.push(format!(
                "{engine} is on another file system than {folder}: only the room of the latter is \
                 looked at, and segments are copied on their way"
            ));
        }
        doubts
    }
}

impl Ballast {
    /// The ballast of the store in `folder`, as `config` says; it is not made yet.
    pub fn new(folder: &Path, config: &DiskConfig) -> Self {
        Self { path: folder.join(BALLAST), len: config.ballast.as_u64() }
    }

    /// Bytes that it is to take on a disk of `total`.
    pub fn len(&self, total: u64) -> u64 {
        self.len.min(total / 16)
    }

    /// Whether there is one to throw overboard.
    pub fn is_there(&self) -> bool {
        self.path.exists()
    }

    /// Throws it overboard. Says whether there was one.
    pub fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    /// Makes it, where there is none of the right length.
    ///
    /// # Errors
    ///
    /// When there is no room after all; nothing is left of it then.
    pub fn make(&self, total: u64) -> io::Result<()> {
        let len = self.len(total);
        let found = fs::metadata(&self.path).map_or(0, |found| found.len());
        if found == len {
            return Ok(());
        }
        self.release();
        if len == 0 {
            return Ok(());
        }
        let made = File::create(&self.path).and_then(|file| fill(&file, len));
        if made.is_err() {
            self.release();
        }
        made
    }
}

/// Throws the ballast of the store in `folder` overboard. Says whether there was one.
pub(super) fn release_ballast(folder: &Path) -> bool {
    fs::remove_file(folder.join(BALLAST)).is_ok()
}

/// Makes, writes, syncs and removes a file in `folder`, while descriptors for others are left.
pub(super) fn probe(folder: &Path) -> Result<(), Error> {
    let path = folder.join(PROBE);
    let probed = (|| {
        let spare: io::Result<Vec<File>> = (0..SPARE).map(|_| File::open(folder)).collect();
        let mut file = File::create(&path)?;
        file.write_all(&vec![0xA5; PROBE_LEN])?;
        drop(spare?);
        file.sync_all()
    })();
    let removed = fs::remove_file(&path);
    probed.and(removed).map_err(|error| Error::File { path, error })
}

/// Takes `len` bytes for `file`, not sparse.
fn fill(mut file: &File, len: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, len) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    // Bytes that no file system compresses away.
    let mut piece = vec![0_u8; 1 << 20];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut left = len;
    while left > 0 {
        for eight in piece.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            eight.copy_from_slice(&state.to_le_bytes());
        }
        let now = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(piece.get(..now).unwrap_or_default())?;
        left -= now as u64;
    }
    Ok(())
}

/// Whether a file system of this type is on another machine.
fn is_remote(kind: i64) -> bool {
    REMOTE.contains(&(kind & 0xffff_ffff))
}

/// NFS, SMB, CIFS, SMB2, Ceph, 9P, AFS, Coda, OCFS2, Lustre, GPFS (statfs(2), and the headers of the
/// last two).
const REMOTE: [i64; 11] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x00c3_6400,
    0x0102_1997,
    0x5346_414f,
    0x7375_7245,
    0x7461_636f,
    0x0bd0_0bd0,
    0x4750_4653,
];

const BALLAST: &str = "BALLAST";

const PROBE: &str = "PROBE";

/// Bytes that a probe writes.
const PROBE_LEN: usize = 1 << 20;

/// Descriptors that must be left.
const SPARE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_the_greater_one_but_no_more_than_a_quarter() {
        let config = DiskConfig::default();
        let gib = 1_u64 << 30;
        for (total, want) in
            [(2 * gib, gib / 2), (16 * gib, gib), (1000 * gib, 1000 * gib / 100 * 2)]
        {
            assert_eq!(config.floor(total), want, "{total}");
        }
    }

    #[test]
    fn st_18_file_systems_of_other_machines() {
        // As statfs(2) has them; the type may come with its sign.
        for kind in [0x6969, 0xff53_4d42, 0xfe53_4d42, i64::from(0xff53_4d42_u32.cast_signed())] {
            assert!(is_remote(kind), "{kind:x}");
        }
        // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS.
        for kind in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert!(!is_remote(kind), "{kind:x}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Space::doubts(folder.path()), [""; 0], "without a store");
        fs::create_dir(folder.path().join(ENGINE)).unwrap();
        assert_eq!(Space::doubts(folder.path()), [""; 0]);
    }

    #[test]
    fn ballast_takes_room_and_gives_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let config = DiskConfig { ballast: ByteSize::mib(2), ..DiskConfig::default() };
        let ballast = Ballast::new(folder.path(), &config);
        let space = Space::of(folder.path()).unwrap();
        assert!(space.free > 0 && space.total >= space.free && !space.read_only);
        for _ in 0..2 {
            ballast.make(space.total).unwrap();
            let made = fs::metadata(folder.path().join(BALLAST)).unwrap();
            assert_eq!(made.len(), 2 << 20);
            assert!(made.blocks() * 512 >= 2 << 20, "sparse");
        }
        assert!(ballast.release() && !ballast.release());
    }
}
