//! The file of a unix socket: made, given to those who may use it, and taken away.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::net::sockopt::set_socket_passcred;
use socket2::{Domain, SockAddr, Socket, Type};

use super::owner::SocketOwner;

/// Why there is no socket at a path.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Somebody listens there.
    #[error("somebody listens there already")]
    InUse,
    /// What is there is not to be removed.
    #[error("there is something that is no socket")]
    NoSocket,
    /// An owner that there is not.
    #[error("{0}")]
    Owner(String),
    /// The system said no.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The file of an open socket. Removed when this is dropped, unless it is another's by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and number of the file.
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _gone = fs::remove_file(&self.path).is_err();
        }
    }
}

/// Opens a socket of streams at `path`.
///
/// # Errors
///
/// Somebody listens there, what is there is no socket, or the system says no.
pub(in super::super) fn bind_stream(
    path: &Path,
    owner: &SocketOwner,
    backlog: i32,
) -> Result<(UnixListener, SocketFile), FileError> {
    let (socket, file) = bind(path, owner, Type::STREAM)?;
    // Nobody could connect before its file was given to those who may.
    socket.listen(backlog)?;
    Ok((socket.into(), file))
}

/// Opens a socket of datagrams at `path`, which hears from the kernel who sends.
///
/// # Errors
///
/// As of [`bind_stream`].
pub(in super::super) fn bind_datagrams(
    path: &Path,
    owner: &SocketOwner,
) -> Result<(UnixDatagram, SocketFile), FileError> {
    let (socket, file) = bind(path, owner, Type::DGRAM)?;
    Ok((socket.into(), file))
}

/// Has the kernel say of each datagram which process sent it.
pub(in super::super) fn hear_credentials(socket: impl AsFd) -> io::Result<()> {
    Ok(set_socket_passcred(socket, true)?)
}

fn bind(path: &Path, owner: &SocketOwner, kind: Type) -> Result<(Socket, SocketFile), FileError> {
    let bits = owner.bits().unwrap_or(DEFAULT_MODE);
    let _known = owner.ids().map_err(FileError::Owner)?;
    remove_stale(path, kind)?;
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.set_nonblocking(true)?;
    if kind == Type::DGRAM {
        hear_credentials(&socket)?; // before the first can arrive
    }
    // The file comes into being with no more rights than these, whatever the umask is.
    fchmod(&socket, Mode::from_raw_mode(bits)).map_err(io::Error::from)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    give(path, owner)?;
    Ok((socket, file))
}

/// Gives the file at `path` to those who may use it.
///
/// # Errors
///
/// There is no such user or group, or the system says no.
pub(in super::super) fn give(path: &Path, owner: &SocketOwner) -> Result<(), FileError> {
    let (user, group) = owner.ids().map_err(FileError::Owner)?;
    let bits = owner.bits().unwrap_or(DEFAULT_MODE);
    if user.is_some() || group.is_some() {
        chown(path, user, group)?;
    }
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(bits))?)
}

/// Removes what a daemon left that was killed: a socket that nobody listens at.
fn remove_stale(path: &Path, kind: Type) -> Result<(), FileError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.file_type().is_socket() {
        return Err(FileError::NoSocket);
    }
    let probe = Socket::new(Domain::UNIX, kind, None)?;
    probe.set_nonblocking(true)?; // one whose queue is full would have us wait
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        // It answers, or is of the other kind, or is not ours to ask.
        Ok(()) | Err(_) => Err(FileError::InUse),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Everyone on the machine may write.
const DEFAULT_MODE: u32 = 0o666;

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(mode: &str) -> SocketOwner {
        SocketOwner { mode: mode.to_owned(), ..SocketOwner::default() }
    }

    #[test]
    fn a_socket_has_the_mode_that_it_was_given_and_goes_with_its_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for mode in ["0666", "0600", "0222"] {
            let (_socket, _file) = bind_stream(&path, &owner(mode), 8).unwrap();
            let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(format!("{found:04o}"), mode);
        }
        assert!(!path.exists());
        let (_socket, _file) = bind_datagrams(&path, &owner("0666")).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn what_a_killed_daemon_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let refused = |path: &Path| {
            let stream = bind_stream(path, &owner("0666"), 8).unwrap_err().to_string();
            let datagrams = bind_datagrams(path, &owner("0666")).unwrap_err().to_string();
            assert_eq!(stream, datagrams);
            stream
        };
        // Dropped without its file being removed, as by `kill -9`.
        drop(UnixListener::bind(&path).unwrap());
        drop(bind_stream(&path, &owner("0666"), 8).unwrap());
        drop(UnixDatagram::bind(&path).unwrap());
        drop(bind_datagrams(&path, &owner("0666")).unwrap());
        let listening = UnixListener::bind(&path).unwrap();
        assert_eq!(refused(&path), "somebody listens there already");
        drop(listening);
        fs::remove_file(&path).unwrap();
        let listening = UnixDatagram::bind(&path).unwrap();
        assert_eq!(refused(&path), "somebody listens there already");
        drop(listening);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert_eq!(refused(&path), "there is something that is no socket");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        assert!(bind_stream(&folder.path().join("no/such/folder"), &owner("0666"), 8).is_err());
    }

    #[test]
    fn the_file_of_another_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (_old, file) = bind_stream(&path, &owner("0666"), 8).unwrap();
        fs::remove_file(&path).unwrap();
        let _new = UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
    }
}
