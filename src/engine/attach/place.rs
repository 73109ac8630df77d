//! Where an engine is reached: a Unix socket beside its store, or where the configuration says.
//!
//! A path to a socket may have 107 bytes, which deep folders exceed: the folder is opened, and the socket is named through that.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Group, Uid, User, getuid};
use tokio::net::{UnixListener, UnixStream};

use crate::engine::settings::AttachSettings;

/// The socket's name beside the store.
const NAME: &str = "socket";

/// Where an engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    socket: PathBuf,
    group: Option<String>,
}

/// Why an engine cannot be reached there, or by whom it could be.
#[derive(Debug, thiserror::Error)]
pub enum PlaceProblem {
    /// The folder.
    #[error("the folder {path} of the socket cannot be used: {reason}; make it, or name another by `[attach] socket`")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Others could put a socket of theirs in its place.
    #[error(
        "others may write to {path} (mode {mode:o}, owner {owner}), and could put an engine of theirs there; run: chmod go-w {path}"
    )]
    TooOpen {
        /// Which folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The number of its owner.
        owner: u32,
    },
    /// The socket.
    #[error("the socket {path} cannot be made: {reason}")]
    Socket {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Somebody else's, or no socket at all.
    #[error("{path} is {what}, and is not replaced; take it away, or name another place by `[attach] socket`")]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// An engine is there that has another store.
    #[error("another engine listens at {path}; end it, or name another place by `[attach] socket`")]
    Taken {
        /// Which.
        path: PathBuf,
    },
    /// Nobody of the group gets as far as the socket.
    #[error(
        "the group {group} cannot enter {path} (mode {mode:o}); name a folder that it may enter by `[attach] socket`"
    )]
    NoWay {
        /// Which group.
        group: String,
        /// The folder of the socket.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No such group.
    #[error("`[attach] group` names the group {group}, which this system does not know")]
    NoGroup {
        /// Which.
        group: String,
    },
}

/// Where consoles come in.
pub type Listener = UnixListener;

impl Place {
    /// The socket of the engine whose store is in `state_dir`.
    #[must_use]
    pub fn of(state_dir: &Path, settings: &AttachSettings) -> Self {
        let socket = settings.socket.clone().unwrap_or_else(|| state_dir.join(NAME));
        Self { socket, group: settings.group.clone() }
    }

    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Listens there, in place of a socket that an engine left behind. Only whoever holds the store may call this.
    ///
    /// # Errors
    /// When the folder is open to others, the socket cannot be made, or what is there is not ours or is listened at.
    pub fn listen(&self) -> Result<Listener, PlaceProblem> {
        let folder = self.folder()?;
        let failed = |reason| PlaceProblem::Socket { path: self.socket.clone(), reason };
        let through = |name: &str| through(&folder, name);
        let name = self.name().map_err(failed)?;
        self.see_that_it_is_free(&through(&name))?;
        // Under another name until it is closed to whom it is to be closed to.
        let fresh = format!("{name}.new");
        remove(&through(&fresh)).map_err(failed)?;
        let listener = UnixListener::bind(through(&fresh)).map_err(failed)?;
        let mode = match self.gid()? {
            Some(group) => {
                // There are ways in that the mode does not show; the doctor tells of it as well.
                if let Err(problem) = self.see_that_it_enters(&folder, group) {
                    tracing::warn!("{problem}");
                }
                nix::unistd::chown(&through(&fresh), None, Some(group)).map_err(|errno| failed(errno.into()))?;
                0o660
            }
            None => 0o600,
        };
        std::fs::set_permissions(through(&fresh), Permissions::from_mode(mode)).map_err(failed)?;
        std::fs::rename(through(&fresh), through(&name)).map_err(failed)?;
        Ok(listener)
    }

    /// Whether a socket can be there that nobody else puts in its place.
    ///
    /// # Errors
    /// When the folder is open to others, or the group is not known or cannot enter it.
    pub fn check(&self) -> Result<(), PlaceProblem> {
        let folder = self.folder()?;
        self.gid()?.map_or(Ok(()), |group| self.see_that_it_enters(&folder, group))
    }

    /// Connects to whoever listens there.
    ///
    /// # Errors
    /// When nobody does, the folder cannot be used, or it is somebody who may only have been there first.
    pub async fn connect(&self) -> io::Result<UnixStream> {
        let folder = open_folder(self.parent())?;
        let stream = UnixStream::connect(through(&folder, &self.name()?)).await?;
        let facts = folder.metadata()?;
        let uid = stream.peer_cred()?.uid();
        if is_believed(uid, getuid().as_raw(), facts.uid(), facts.mode()) {
            return Ok(stream);
        }
        let text = format!(
            "{} listens at {}, who is neither you nor the owner of its folder; name another place by `[attach] socket`",
            user_name(uid),
            self.socket.display()
        );
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }

    /// Whose the folder of the socket is; `None` where it is ours, or for everybody. Where it is not there the nearest one above it says
    /// whether we could make it, and not whose it will be: that of a service comes and goes with it.
    #[must_use]
    pub fn other_owner(&self) -> Option<String> {
        let (folder, facts) = self.parent().ancestors().find_map(|folder| Some((folder, folder.metadata().ok()?)))?;
        let is_for_all = facts.mode() & 0o1002 == 0o1002;
        let name = || if folder == self.parent() { user_name(facts.uid()) } else { "a service".to_owned() };
        (facts.uid() != getuid().as_raw() && !is_for_all).then(name)
    }

    /// Which file the socket is at this moment.
    ///
    /// # Errors
    /// When there is none.
    pub fn mark(&self) -> io::Result<FileMark> {
        FileMark::of(&self.socket)
    }

    /// Connects likewise; what is read there and written waits.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_waiting(&self) -> io::Result<std::os::unix::net::UnixStream> {
        let stream = self.connect().await?.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Takes the socket away, so that nobody waits for an engine that has ended; one that is another file by now is somebody
    /// else's, and stays.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn leave(&self, ours: FileMark) -> io::Result<()> {
        match self.mark() {
            Ok(there) if there == ours => remove(&self.socket),
            _ => Ok(()),
        }
    }

    /// Refuses to replace what is not a socket of ours that nobody listens at.
    fn see_that_it_is_free(&self, path: &Path) -> Result<(), PlaceProblem> {
        let not_ours = |what| PlaceProblem::NotOurs { path: self.socket.clone(), what };
        let Ok(there) = path.symlink_metadata() else { return Ok(()) };
        if !there.file_type().is_socket() {
            return Err(not_ours("no socket"));
        }
        if there.uid() != getuid().as_raw() {
            return Err(not_ours("another user's"));
        }
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(PlaceProblem::Taken { path: self.socket.clone() }),
            Err(_) => Ok(()),
        }
    }

    /// The folder, if nobody else can put something in the socket's place.
    fn folder(&self) -> Result<File, PlaceProblem> {
        let path = self.parent();
        let failed = |reason| PlaceProblem::Folder { path: path.to_path_buf(), reason };
        let folder = open_folder(path).map_err(failed)?;
        let facts = folder.metadata().map_err(failed)?;
        let is_ours = facts.uid() == getuid().as_raw() || facts.uid() == 0;
        let is_sticky = facts.mode() & 0o1000 != 0;
        if !is_ours || (facts.mode() & 0o022 != 0 && !is_sticky) {
            let (mode, owner) = (facts.mode() & 0o7777, facts.uid());
            return Err(PlaceProblem::TooOpen { path: path.to_path_buf(), mode, owner });
        }
        Ok(folder)
    }

    fn parent(&self) -> &Path {
        self.socket.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn name(&self) -> io::Result<String> {
        let name = self.socket.file_name().and_then(|name| name.to_str());
        name.map(str::to_owned)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no name that is text"))
    }

    /// The group for whom the socket is must be let into its folder, too.
    fn see_that_it_enters(&self, folder: &File, group: Gid) -> Result<(), PlaceProblem> {
        let path = self.parent().to_path_buf();
        let facts = match folder.metadata() {
            Ok(facts) => facts,
            Err(reason) => return Err(PlaceProblem::Folder { path, reason }),
        };
        let enters = if facts.gid() == group.as_raw() { 0o010 } else { 0o001 };
        if facts.mode() & enters != 0 {
            return Ok(());
        }
        let (group, mode) = (self.group.clone().unwrap_or_default(), facts.mode() & 0o7777);
        Err(PlaceProblem::NoWay { group, path, mode })
    }

    fn gid(&self) -> Result<Option<Gid>, PlaceProblem> {
        let Some(name) = &self.group else { return Ok(None) };
        match Group::from_name(name) {
            Ok(Some(group)) => Ok(Some(group.gid)),
            Ok(None) | Err(_) => Err(PlaceProblem::NoGroup { group: name.clone() }),
        }
    }
}

/// Which file something is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMark {
    device: u64,
    inode: u64,
}

impl FileMark {
    /// Which file has this name now; a link is itself.
    ///
    /// # Errors
    /// When none has it.
    pub fn of(path: &Path) -> io::Result<Self> {
        let facts = path.symlink_metadata()?;
        Ok(Self { device: facts.dev(), inode: facts.ino() })
    }
}

/// The name of a user, or the number of one who has none.
fn user_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

/// True for who may be an engine to us: ourselves, root, and the owner of a folder into which nobody else puts anything.
fn is_believed(uid: u32, ours: u32, owner: u32, mode: u32) -> bool {
    let is_sticky = mode & 0o1000 != 0;
    uid == ours || uid == 0 || uid == owner && !is_sticky
}

fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_PATH;
    std::fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// A name in an open folder, by a path that is short however deep the folder is.
fn through(folder: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => Err(problem),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::DirBuilder;
    use std::os::unix::fs::DirBuilderExt;

    use super::*;

    fn place(folder: &Path) -> Place {
        Place::of(folder, &AttachSettings::default())
    }

    #[tokio::test]
    async fn the_longest_paths_are_listened_at_and_found() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a-folder-with-a-long-name/".repeat(8));
        DirBuilder::new().recursive(true).mode(0o700).create(&deep).unwrap();
        assert!(deep.as_os_str().len() > 200);
        let place = place(&deep);
        assert!(place.connect().await.is_err(), "nobody is there yet");
        let listener = place.listen().unwrap();
        let (here, there) = tokio::join!(place.connect(), listener.accept());
        assert!(here.is_ok() && there.is_ok());
        let mode = place.socket().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // What was left behind is nobody's, and is replaced.
        drop(listener);
        assert!(place.connect().await.is_err());
        let again = place.listen().unwrap();
        let (here, there) = tokio::join!(place.connect(), again.accept());
        assert!(here.is_ok() && there.is_ok());
        let ours = place.mark().unwrap();
        // It may have taken another one's place in the meantime, which is not ours to take away.
        std::fs::rename(place.socket(), root.path().join("elsewhere")).unwrap();
        let other = UnixListener::bind(root.path().join("theirs")).unwrap();
        std::fs::rename(root.path().join("theirs"), place.socket()).unwrap();
        place.leave(ours).unwrap();
        assert!(place.socket().exists());
        drop(other);
        place.leave(place.mark().unwrap()).unwrap();
        place.leave(ours).unwrap();
        assert!(!place.socket().exists());
    }

    #[test]
    fn who_may_only_have_been_there_first_is_not_believed() {
        let (ana, service, eve) = (1_000, 990, 1_001);
        for (uid, owner, mode, expected) in [
            (ana, ana, 0o700, true),
            (0, 0, 0o755, true),
            (service, service, 0o750, true),
            (eve, service, 0o750, false),
            (eve, 0, 0o1777, false),
            (ana, 0, 0o1777, true),
            (eve, eve, 0o1777, false),
        ] {
            assert_eq!(is_believed(uid, ana, owner, mode), expected, "{uid} in {mode:o} of {owner}");
        }
    }

    #[tokio::test]
    async fn what_is_listened_at_or_no_socket_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let listener = place.listen().unwrap();
        let refused = place.listen().unwrap_err();
        assert!(refused.to_string().contains("another engine listens at"), "{refused}");
        drop(listener);
        std::fs::remove_file(place.socket()).unwrap();
        std::fs::write(place.socket(), "a text").unwrap();
        let refused = place.listen().unwrap_err();
        assert!(refused.to_string().contains("no socket"), "{refused}");
        assert_eq!(std::fs::read_to_string(place.socket()).unwrap(), "a text");
    }

    #[tokio::test]
    async fn a_folder_that_others_may_write_to_is_refused_unless_it_is_sticky() {
        let root = tempfile::tempdir().unwrap();
        for (mode, is_taken) in [(0o700, true), (0o750, true), (0o770, false), (0o757, false), (0o1777, true)] {
            std::fs::set_permissions(root.path(), Permissions::from_mode(mode)).unwrap();
            let listened = place(root.path()).listen();
            assert_eq!(listened.is_ok(), is_taken, "{mode:o}: {listened:?}");
            assert_eq!(place(root.path()).check().is_ok(), is_taken, "{mode:o}");
        }
        let missing = place(&root.path().join("nowhere")).listen();
        assert!(missing.unwrap_err().to_string().contains("nowhere"));
        let settings = AttachSettings { group: Some("no-such-group-here".to_owned()), ..AttachSettings::default() };
        let grouped = Place::of(root.path(), &settings).listen();
        assert!(grouped.unwrap_err().to_string().contains("no-such-group-here"));
    }

    #[tokio::test]
    async fn a_socket_for_a_group_is_where_that_group_gets_to_it() {
        let root = tempfile::tempdir().unwrap();
        let own = Group::from_gid(nix::unistd::getgid()).unwrap().unwrap().name;
        let settings = AttachSettings { group: Some(own.clone()), ..AttachSettings::default() };
        let place = Place::of(root.path(), &settings);
        std::fs::set_permissions(root.path(), Permissions::from_mode(0o700)).unwrap();
        let refused = place.check().unwrap_err().to_string();
        assert!(refused.contains(&format!("the group {own} cannot enter")) && refused.contains("[attach] socket"));
        std::fs::set_permissions(root.path(), Permissions::from_mode(0o710)).unwrap();
        let listener = place.listen().unwrap();
        let facts = place.socket().metadata().unwrap();
        assert_eq!((facts.mode() & 0o777, facts.gid()), (0o660, nix::unistd::getgid().as_raw()));
        drop(listener);
    }
}
