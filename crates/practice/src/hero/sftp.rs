//! The SFTP subsystem (protocol version 3, draft-ietf-secsh-filexfer-02) of one session.
//!
//! File operations run on the session's own task instead of a blocking pool: they touch the page
//! cache only, and handing every 32 KiB packet to another thread costs more than the write.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Duration,
};

use russh_sftp::{
    extensions::{
        FSYNC, FsyncExtension, HardlinkExtension, LIMITS, LimitsExtension, STATVFS, Statvfs, StatvfsExtension,
    },
    protocol::{
        Attrs, Data, ExtendedReply, File as NamedFile, FileAttributes, Handle, Name, OpenFlags, Packet,
        Status, StatusCode, Version,
    },
    server::{Handler, StatusReply},
};

use super::{
    Hero, HeroFaults, HeroHang, HeroSpace,
    account::Account,
    folder::{IMPORTS, RemotePath, is_hidden, status},
    import::is_import_file,
};
use crate::faults::Hanging;

/// OpenSSH's rename that replaces the target, as POSIX does (OpenSSH `PROTOCOL`, section 4.3).
const POSIX_RENAME: &str = "posix-rename@openssh.com";
/// The same figures as `statvfs@openssh.com`, of an open file or folder.
const FSTATVFS: &str = "fstatvfs@openssh.com";
/// The disk that `statvfs` tells of unless a fault says otherwise.
const USUAL_SPACE: HeroSpace = HeroSpace { total_bytes: 512 << 30, free_bytes: 256 << 30 };
/// Bytes of a block of that disk.
const BLOCK: u64 = 4096;
/// The longest file name of that disk, bytes.
const LONGEST_NAME: u64 = 255;
/// The largest packet taken, as OpenSSH's own server has it.
pub(super) const LARGEST_PACKET: u32 = 256 * 1024;
/// OpenSSH keeps 1 KiB of a packet for what surrounds the data.
const LARGEST_DATA: u32 = LARGEST_PACKET - 1024;
const OPEN_HANDLES: usize = 64;
/// So long an answer is on its way to a client at most.
const ON_THE_WAY: Duration = Duration::from_millis(250);
/// Keeps a directory listing's answer well below the packet limit.
const ENTRIES_PER_ANSWER: usize = 100;

pub(super) struct SftpSession {
    hero: Arc<Hero>,
    account: Arc<Account>,
    /// The session's connection, to cut it off as a failing network would.
    wire: Arc<TcpStream>,
    handles: HashMap<String, Opened>,
    next_handle: u64,
    /// Bytes of file content that came.
    received: u64,
    /// Whether the connection was broken: what had arrived before and waits its turn is not carried out any more.
    gone: bool,
    /// Bytes of file content that went.
    sent: u64,
}

enum Opened {
    File(OpenedFile),
    Folder(VecDeque<NamedFile>),
}

struct OpenedFile {
    file: File,
    path: RemotePath,
    writable: bool,
    /// Where the next byte goes without seeking.
    position: u64,
}

impl OpenedFile {
    fn seek(&mut self, offset: u64) -> std::io::Result<()> {
        if self.position != offset {
            self.position = self.file.seek(SeekFrom::Start(offset))?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.seek(offset)?;
        self.file.write_all(data)?;
        self.position += data.len() as u64;
        Ok(())
    }

    fn read(&mut self, offset: u64, len: u32) -> std::io::Result<Vec<u8>> {
        self.seek(offset)?;
        let mut data = Vec::with_capacity(len as usize);
        let count = (&mut self.file).take(u64::from(len)).read_to_end(&mut data)?;
        self.position += count as u64;
        Ok(data)
    }
}

impl SftpSession {
    pub(super) fn new(hero: Arc<Hero>, account: Arc<Account>, wire: Arc<TcpStream>) -> Self {
        Self {
            hero,
            account,
            wire,
            handles: HashMap::new(),
            next_handle: 0,
            received: 0,
            gone: false,
            sent: 0,
        }
    }

    fn faults(&self) -> HeroFaults {
        self.hero.faults()
    }

    /// The local file of a path, minding an account whose `imports/` is missing.
    fn local(&self, path: &RemotePath) -> Result<std::path::PathBuf, StatusReply> {
        if path.is_in_imports() && self.faults().missing_imports {
            return Err(StatusCode::NoSuchFile.into());
        }
        self.account.folder.local(path)
    }

    /// The local file of a path that is about to be changed: files directly in `imports/` only.
    fn changeable(&self, path: &RemotePath) -> Result<std::path::PathBuf, StatusReply> {
        if path.import_name().is_none() {
            return Err(StatusCode::PermissionDenied.with_message("only imports/ can be written to"));
        }
        self.local(path)
    }

    fn keep(&mut self, id: u32, opened: Opened) -> Result<Handle, StatusReply> {
        if self.handles.len() == OPEN_HANDLES {
            return Err(StatusCode::Failure.with_message("too many open files"));
        }
        self.next_handle += 1;
        let handle = self.next_handle.to_string();
        self.handles.insert(handle.clone(), opened);
        Ok(Handle { id, handle })
    }

    fn file(&mut self, handle: &str) -> Result<&mut OpenedFile, StatusReply> {
        match self.handles.get_mut(handle) {
            Some(Opened::File(file)) => Ok(file),
            _ => Err(StatusCode::Failure.with_message("not the handle of an open file")),
        }
    }

    fn writable_file(&mut self, handle: &str) -> Result<&mut OpenedFile, StatusReply> {
        let file = self.file(handle)?;
        if file.writable { Ok(file) } else { Err(StatusCode::PermissionDenied.into()) }
    }

    fn attributes(&self, path: &str) -> Result<FileAttributes, StatusReply> {
        let local = self.local(&RemotePath::parse(path))?;
        let metadata = fs::metadata(local).map_err(|error| status(&error))?;
        Ok(FileAttributes::from(&metadata))
    }

    /// Gives no answer while a fault says so. When it is mended the connection is gone, as for every client that waited
    /// so long.
    async fn hang(&mut self, at: HeroHang) -> Result<(), StatusReply> {
        let mended = self.hero.mended.notified();
        if self.faults().hang != Some(at) {
            return Ok(());
        }
        {
            let _hanging = Hanging::new(&self.hero.hanging);
            mended.await;
        }
        Err(self.cut())
    }

    /// Breaks the connection.
    fn cut(&mut self) -> StatusReply {
        self.gone = true;
        // Failing to shut down means that the connection is gone already.
        _ = self.wire.shutdown(Shutdown::Both);
        StatusCode::ConnectionLost.into()
    }

    /// Bytes that `imports/` may still take, where a fault limits them.
    fn room(&self) -> Result<Option<u64>, StatusReply> {
        let Some(limit) = self.faults().imports_hold else { return Ok(None) };
        let mut used = 0;
        for entry in fs::read_dir(self.account.folder.imports()).map_err(|error| status(&error))? {
            // A file may go while the folder is read.
            used += entry.and_then(|entry| entry.metadata()).map_or(0, |metadata| metadata.len());
        }
        Ok(Some(limit.saturating_sub(used)))
    }

    /// What the disk that holds the account is said to have.
    fn space(&self) -> Result<Statvfs, StatusReply> {
        let HeroSpace { total_bytes, free_bytes } = self.faults().space.unwrap_or(USUAL_SPACE);
        let free = self.room()?.map_or(free_bytes, |room| room.min(free_bytes)) / BLOCK;
        let total = total_bytes / BLOCK;
        Ok(Statvfs {
            block_size: BLOCK,
            fragment_size: BLOCK,
            blocks: total,
            blocks_free: free,
            blocks_avail: free,
            inodes: total,
            inodes_free: free,
            inodes_avail: free,
            fs_id: 1,
            flags: 0,
            name_max: LONGEST_NAME,
        })
    }

    async fn move_file(&mut self, from: &str, to: &str, replace: bool) -> Result<(), StatusReply> {
        self.hang(HeroHang::Rename).await?;
        let (from, to) = (RemotePath::parse(from), RemotePath::parse(to));
        let (source, target) = (self.changeable(&from)?, self.changeable(&to)?);
        if self.faults().refuse_rename {
            return Err(StatusCode::PermissionDenied.with_message("renaming is switched off"));
        }
        if !replace && fs::symlink_metadata(&target).is_ok() {
            return Err(StatusCode::Failure.with_message("the target exists"));
        }
        let late = self.faults().late_name_ms;
        if let Some(late) = late.filter(|_| to.import_name().is_some_and(is_import_file)) {
            tokio::time::sleep(Duration::from_millis(late)).await;
            if self.client_has_left() {
                return Err(StatusCode::ConnectionLost.into());
            }
        }
        fs::rename(source, target).map_err(|error| status(&error))?;
        self.arrived(&to).await;
        Ok(())
    }

    /// Whether nothing more comes on the connection.
    fn client_has_left(&self) -> bool {
        match self.wire.peek(&mut [0]) {
            Ok(waiting) => waiting == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    /// Lets Hero take in its files before the client learns that the last one has arrived.
    async fn arrived(&self, path: &RemotePath) {
        if path.import_name().is_some_and(|name| self.account.reads_on_arrival(name)) {
            self.hero.take_in(&self.account).await;
        }
    }
}

fn done(id: u32) -> Status {
    Status {
        id,
        status_code: StatusCode::Ok,
        error_message: StatusCode::Ok.to_string(),
        language_tag: "en-US".to_owned(),
    }
}

impl Handler for SftpSession {
    type Error = StatusReply;

    fn unimplemented(&self) -> StatusReply {
        StatusCode::OpUnsupported.into()
    }

    async fn init(
        &mut self,
        _version: u32,
        _extensions: HashMap<String, String>,
    ) -> Result<Version, StatusReply> {
        let mut version = Version::new();
        let faults = self.faults();
        // The numbers are OpenSSH's.
        let offered = [
            (POSIX_RENAME, "1", !faults.no_posix_rename),
            (FSYNC, "1", !faults.no_fsync),
            (STATVFS, "2", !faults.no_statvfs),
            (FSTATVFS, "2", !faults.no_statvfs),
            (LIMITS, "1", true),
        ];
        for (extension, number, _) in offered.into_iter().filter(|(_, _, offered)| *offered) {
            version.extensions.insert(extension.to_owned(), number.to_owned());
        }
        Ok(version)
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        Ok(Name { id, files: vec![NamedFile::dummy(RemotePath::parse(&path).to_string())] })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        self.hang(HeroHang::Stat).await?;
        Ok(Attrs { id, attrs: self.attributes(&path)? })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: self.attributes(&path)? })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        let metadata = self.file(&handle)?.file.metadata().map_err(|error| status(&error))?;
        Ok(Attrs { id, attrs: FileAttributes::from(&metadata) })
    }

    /// Truncates when a size is given; owners, permissions and times stay the server's.
    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, StatusReply> {
        let local = self.changeable(&RemotePath::parse(&path))?;
        let file = File::options().write(true).open(local).map_err(|error| status(&error))?;
        if let Some(size) = attrs.size {
            file.set_len(size).map_err(|error| status(&error))?;
        }
        Ok(done(id))
    }

    async fn fsetstat(
        &mut self,
        id: u32,
        handle: String,
        attrs: FileAttributes,
    ) -> Result<Status, StatusReply> {
        let opened = self.writable_file(&handle)?;
        if let Some(size) = attrs.size {
            opened.file.set_len(size).map_err(|error| status(&error))?;
        }
        Ok(done(id))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        let path = RemotePath::parse(&path);
        let local = self.local(&path)?;
        let hides_imports = self.faults().missing_imports;
        let own = fs::metadata(&local).map_err(|error| status(&error))?;
        let mut entries = VecDeque::from([
            NamedFile::new(".", FileAttributes::from(&own)),
            NamedFile::new("..", FileAttributes::from(&own)),
        ]);
        let mut listed = Vec::new();
        for entry in fs::read_dir(local).map_err(|error| status(&error))? {
            let entry = entry.map_err(|error| status(&error))?;
            // SFTP version 3 has no encoding; what is not UTF-8 was not put here by a client.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if path.is_root() && (is_hidden(&name) || (hides_imports && name == IMPORTS)) {
                continue;
            }
            // A file may go while the folder is read.
            if let Ok(metadata) = entry.metadata() {
                listed.push(NamedFile::new(name, FileAttributes::from(&metadata)));
            }
        }
        listed.sort_by(|left, right| left.filename.cmp(&right.filename));
        entries.extend(listed);
        self.keep(id, Opened::Folder(entries))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        match self.handles.get_mut(&handle) {
            Some(Opened::Folder(entries)) if entries.is_empty() => Err(StatusCode::Eof.into()),
            Some(Opened::Folder(entries)) => {
                let count = entries.len().min(ENTRIES_PER_ANSWER);
                Ok(Name { id, files: entries.drain(..count).collect() })
            }
            _ => Err(StatusCode::Failure.with_message("not the handle of an open folder")),
        }
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        pflags: OpenFlags,
        _attrs: FileAttributes,
    ) -> Result<Handle, StatusReply> {
        self.hang(HeroHang::Open).await?;
        let path = RemotePath::parse(&filename);
        let writable =
            pflags.intersects(OpenFlags::WRITE | OpenFlags::APPEND | OpenFlags::CREATE | OpenFlags::TRUNCATE);
        let local = if writable { self.changeable(&path)? } else { self.local(&path)? };
        if fs::metadata(&local).is_ok_and(|metadata| metadata.is_dir()) {
            return Err(StatusCode::Failure.with_message("is a folder"));
        }
        let options = fs::OpenOptions::from(pflags);
        #[cfg(unix)]
        let options = {
            let mut options = options;
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options
        };
        let file = options.open(local).map_err(|error| status(&error))?;
        self.keep(id, Opened::File(OpenedFile { file, path, writable, position: 0 }))
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, StatusReply> {
        self.hang(HeroHang::Read).await?;
        let data = self.file(&handle)?.read(offset, len.min(LARGEST_DATA)).map_err(|error| status(&error))?;
        self.sent += data.len() as u64;
        if self.gone || self.hero.faults_mut().take_cut(self.received, self.sent) {
            return Err(self.cut());
        }
        if data.is_empty() && len > 0 { Err(StatusCode::Eof.into()) } else { Ok(Data { id, data }) }
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Result<Status, StatusReply> {
        self.hang(HeroHang::Write).await?;
        self.received += data.len() as u64;
        let dropped = self.faults().drop_after_bytes.is_some_and(|limit| self.received > limit);
        if dropped && !self.gone {
            // What was answered before arrives: otherwise chance would say how much of the file the client knows to be here.
            tokio::time::sleep(ON_THE_WAY).await;
        }
        if self.gone || dropped || self.hero.faults_mut().take_cut(self.received, self.sent) {
            return Err(self.cut());
        }
        let room = self.room()?;
        let file = self.writable_file(&handle)?;
        if let Some(room) = room {
            let size = file.file.metadata().map_err(|error| status(&error))?.len();
            if (offset + data.len() as u64).saturating_sub(size) > room {
                return Err(StatusCode::Failure.with_message("no space left on device"));
            }
        }
        file.write(offset, &data).map_err(|error| status(&error))?;
        Ok(done(id))
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        match self.handles.remove(&handle) {
            Some(Opened::File(OpenedFile { file, path, writable, .. })) => {
                drop(file);
                if writable {
                    self.arrived(&path).await;
                }
                Ok(done(id))
            }
            Some(Opened::Folder(_)) => Ok(done(id)),
            None => Err(StatusCode::Failure.with_message("not an open handle")),
        }
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, StatusReply> {
        let local = self.changeable(&RemotePath::parse(&filename))?;
        fs::remove_file(local).map_err(|error| status(&error))?;
        Ok(done(id))
    }

    async fn rename(&mut self, id: u32, oldpath: String, newpath: String) -> Result<Status, StatusReply> {
        self.move_file(&oldpath, &newpath, false).await?;
        Ok(done(id))
    }

    async fn mkdir(
        &mut self,
        _id: u32,
        _path: String,
        _attrs: FileAttributes,
    ) -> Result<Status, StatusReply> {
        Err(StatusCode::PermissionDenied.into())
    }

    async fn rmdir(&mut self, _id: u32, _path: String) -> Result<Status, StatusReply> {
        Err(StatusCode::PermissionDenied.into())
    }

    async fn symlink(&mut self, _id: u32, _link: String, _target: String) -> Result<Status, StatusReply> {
        Err(StatusCode::PermissionDenied.into())
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, StatusReply> {
        let faults = self.faults();
        match request.as_str() {
            POSIX_RENAME if faults.no_posix_rename => Err(StatusCode::OpUnsupported.into()),
            FSYNC if faults.no_fsync => Err(StatusCode::OpUnsupported.into()),
            STATVFS | FSTATVFS if faults.no_statvfs => Err(StatusCode::OpUnsupported.into()),
            STATVFS => {
                let StatvfsExtension { path } = arguments(data)?;
                self.attributes(&path)?;
                reply(id, &self.space()?)
            }
            FSTATVFS => {
                // One string, like that of `fsync`.
                let FsyncExtension { handle } = arguments(data)?;
                if !self.handles.contains_key(&handle) {
                    return Err(StatusCode::Failure.with_message("not an open handle"));
                }
                reply(id, &self.space()?)
            }
            POSIX_RENAME => {
                // The same two strings as a hard link's request.
                let HardlinkExtension { oldpath, newpath } = arguments(data)?;
                self.move_file(&oldpath, &newpath, true).await?;
                Ok(Packet::Status(done(id)))
            }
            FSYNC => {
                let FsyncExtension { handle } = arguments(data)?;
                let file = self.file(&handle)?.file.try_clone().map_err(|error| status(&error))?;
                // Unlike everything else here, this waits for the disk.
                let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
                synced.map_err(|_| StatusCode::Failure)?.map_err(|error| status(&error))?;
                Ok(Packet::Status(done(id)))
            }
            LIMITS => {
                let limits = LimitsExtension {
                    max_packet_len: u64::from(LARGEST_PACKET),
                    max_read_len: u64::from(LARGEST_DATA),
                    max_write_len: u64::from(LARGEST_DATA),
                    max_open_handles: OPEN_HANDLES as u64,
                };
                reply(id, &limits)
            }
            _ => Err(StatusCode::OpUnsupported.into()),
        }
    }
}

fn reply(id: u32, content: &impl serde::Serialize) -> Result<Packet, StatusReply> {
    let data = russh_sftp::ser::to_bytes(content).map_err(|_| StatusCode::Failure)?.to_vec();
    Ok(Packet::ExtendedReply(ExtendedReply { id, data }))
}

fn arguments<T: serde::de::DeserializeOwned>(data: Vec<u8>) -> Result<T, StatusReply> {
    russh_sftp::de::from_bytes(&mut data.into()).map_err(|_| StatusCode::BadMessage.into())
}
