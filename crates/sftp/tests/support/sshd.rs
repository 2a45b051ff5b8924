use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rosterbridge_sftp::{Address, Authentication, Connection, Pin, Timeouts};
use secrecy::SecretString;
use tempfile::TempDir;

/// Password of the account that [`Options::password_account`] makes.
pub const PASSWORD: &str = "Throwaway practice 42";
/// `crypt(3)` of [`PASSWORD`].
const PASSWORD_HASH: &str = "$6$rosterbridge$Fvqo9CeWx5nEXLewDxZaXerJ7.xc0zyw.60Ot4Y1b.\
                             lO5BQIbE6g6aVJ09pYyHU5q2UWWf9qUgkTaWuAPEt9s/";
const PASSWORD_ACCOUNT: &str = "rbthrowaway";
const PASSWORD_ACCOUNT_ID: u32 = 64_123;

/// How a test's server differs from the plain one.
#[derive(Default)]
pub struct Options {
    /// Arguments of `internal-sftp`: `-R` serves read-only, `-P rename` refuses renames.
    pub sftp_arguments: &'static str,
    /// A second account, known by password only. Needs root: sshd checks passwords in /etc/shadow, so the
    /// server gets its own copy of the account files in a private mount namespace.
    pub password_account: bool,
    /// `imports/` is a file system of one megabyte. Needs root, for the mount.
    pub small_disk: bool,
    /// The account sees its own files only, as `/`. Needs root, for the mount that puts them where sshd trusts every
    /// folder above them.
    pub chroot: bool,
    /// Ask for the password by keyboard-interactive only. Needs `password_account`: sshd does this through PAM.
    pub keyboard_interactive: bool,
    /// Take no passwords.
    pub keys_only: bool,
    /// Offer no SFTP.
    pub no_sftp: bool,
    /// Type of the host key; ed25519 by default.
    pub host_key_type: Option<&'static str>,
    /// Host keys of these types beside that one.
    pub more_host_keys: &'static [&'static str],
    /// Lines of the configuration that come first, and so win: `Ciphers aes128-cbc`, `MaxSessions 1`.
    pub config: &'static str,
}

/// A running sshd that ends with the test.
pub struct Sshd {
    child: Child,
    home: TempDir,
    pub port: u16,
}

impl Sshd {
    pub fn start() -> Self {
        Self::with(&Options::default())
    }

    pub fn with(options: &Options) -> Self {
        let home =
            tempfile::Builder::new().prefix("rosterbridge-sshd-").tempdir().expect("a temporary folder");
        // Another account must get through to its files below.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        keygen(&home.path().join("host_key"), options.host_key_type.unwrap_or("ed25519"), "");
        for kind in options.more_host_keys {
            keygen(&home.path().join(format!("host_key_{kind}")), kind, "");
        }
        for (name, kind, passphrase) in [
            ("client_ed25519", &["ed25519"][..], ""),
            ("client_rsa", &["rsa", "-b", "2048", "-m", "PEM"][..], ""),
            ("client_locked", &["ed25519"][..], "open sesame"),
            ("client_stranger", &["ed25519"][..], ""),
        ] {
            keygen_with(&home.path().join(name), kind, passphrase);
        }
        let known: String = ["client_ed25519.pub", "client_rsa.pub", "client_locked.pub"]
            .iter()
            .map(|name| fs::read_to_string(home.path().join(name)).unwrap())
            .collect();
        fs::write(home.path().join("authorized_keys"), known).unwrap();
        for folder in ["files", "files/imports", "files/export"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        if is_root() {
            fs::create_dir_all("/run/sshd").expect("sshd's privilege separation folder");
        }
        assert!(
            is_root() || !(options.password_account || options.small_disk || options.chroot),
            "This test changes what sshd sees as account files or file system: run it as root."
        );
        if options.password_account {
            make_password_account(home.path(), options.chroot);
        }
        // A free port can be taken by someone else before sshd gets it: then another one is tried.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = spawn(home.path(), port, options);
            if answers(&mut child, port) {
                return Self { child, home, port };
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("sshd did not start:\n{}", fs::read_to_string(home.path().join("log")).unwrap_or_default());
    }

    /// Where the account lands.
    pub fn files(&self) -> PathBuf {
        self.home.path().join("files")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// The log once it says this so many times: sshd answers before it logs.
    pub fn log_with(&self, said: &str, times: usize) -> String {
        let give_up = Instant::now() + Duration::from_secs(10);
        loop {
            let log = self.log();
            if log.matches(said).count() >= times || Instant::now() > give_up {
                return log;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What `ssh-keygen -lf` prints as fingerprint, in the given hash.
    pub fn keygen_fingerprint(&self, hash: &str) -> String {
        self.keygen_line("host_key", hash).split(' ').nth(1).unwrap().to_owned()
    }

    /// The whole line that `ssh-keygen -lf` prints for a host key: `host_key`, or `host_key_` and its type.
    pub fn keygen_line(&self, name: &str, hash: &str) -> String {
        let output = Command::new("ssh-keygen")
            .args(["-E", hash, "-lf"])
            .arg(self.home.path().join(format!("{name}.pub")))
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    /// A host key's file as the server has it: type, key, comment.
    pub fn public_host_key(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(format!("{name}.pub"))).unwrap()
    }

    pub fn pin(&self) -> String {
        self.keygen_fingerprint("sha256")
    }

    /// What a person has accepted after the first contact.
    pub fn pins(&self) -> Vec<Pin> {
        vec![self.pin_of("host_key")]
    }

    /// The pin of a host key: `host_key`, or `host_key_` and its type.
    pub fn pin_of(&self, name: &str) -> Pin {
        Pin {
            algorithm: self.public_host_key(name).split(' ').next().unwrap().to_owned(),
            sha256: self.keygen_line(name, "sha256").split(' ').nth(1).unwrap().to_owned(),
        }
    }

    /// Gives the running server a new key of this type, and no other, on the port it has.
    pub fn replace_host_keys(&self, kind: &str) {
        let file = self.home.path().join("host_key");
        for name in ["host_key", "host_key.pub"] {
            fs::remove_file(self.home.path().join(name)).unwrap();
        }
        keygen(&file, kind, "");
        let config = fs::read_to_string(self.home.path().join("config")).unwrap();
        let rest = config.lines().filter(|line| !line.starts_with("HostKey ")).collect::<Vec<_>>().join("\n");
        fs::write(self.home.path().join("config"), format!("HostKey {}\n{rest}\n", file.display())).unwrap();
        let listening = "Server listening on";
        let times = self.log().matches(listening).count();
        let told = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert_eq!(
            self.log_with(listening, times + 1).matches(listening).count(),
            times + 1,
            "{}",
            self.log()
        );
    }

    /// A new key pair of the account, made by `ssh-keygen` with these arguments, which the server lets in.
    pub fn new_client_key(&self, name: &str, arguments: &[&str], passphrase: &str) -> PathBuf {
        let path = self.home.path().join(name);
        keygen_with(&path, arguments, passphrase);
        self.let_in(&fs::read_to_string(path.with_extension("pub")).unwrap());
        path
    }

    /// Lets a public key in.
    pub fn let_in(&self, public_line: &str) {
        let mut known =
            fs::File::options().append(true).open(self.home.path().join("authorized_keys")).unwrap();
        writeln!(known, "{}", public_line.trim_end()).unwrap();
    }

    pub fn client_key(&self, name: &str) -> SecretString {
        fs::read_to_string(self.client_key_file(name)).unwrap().into()
    }

    pub fn client_key_file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The account that runs the tests, by its ed25519 key.
    pub fn connection(&self) -> Connection {
        self.connection_as(
            &whoami(),
            Authentication::PrivateKey { key: self.client_key("client_ed25519"), passphrase: None },
        )
    }

    pub fn connection_with_key(&self, name: &str, passphrase: Option<&str>) -> Connection {
        let passphrase = passphrase.map(SecretString::from);
        self.connection_as(&whoami(), Authentication::PrivateKey { key: self.client_key(name), passphrase })
    }

    /// The throwaway account, by password.
    pub fn connection_with_password(&self, password: &str) -> Connection {
        self.connection_as(PASSWORD_ACCOUNT, Authentication::Password(password.into()))
    }

    fn connection_as(&self, username: &str, authentication: Authentication) -> Connection {
        Connection {
            address: Address { host: "127.0.0.1".into(), port: self.port },
            username: username.to_owned(),
            authentication,
            allow_legacy: false,
            timeouts: Timeouts {
                connect: Duration::from_secs(20),
                answer: Duration::from_secs(20),
                ..Timeouts::default()
            },
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(home: &Path, port: u16, options: &Options) -> Child {
    let at = |name: &str| home.join(name).display().to_string();
    let sftp = if options.no_sftp {
        String::new()
    } else {
        let arguments = options.sftp_arguments;
        let (jail, start) =
            if options.chroot { ("ChrootDirectory /mnt\n", "/".to_owned()) } else { ("", at("files")) };
        format!("Subsystem sftp internal-sftp\nForceCommand internal-sftp -d {start} {arguments}\n{jail}")
    };
    let more_host_keys: Vec<_> = options
        .more_host_keys
        .iter()
        .map(|kind| format!("HostKey {}\n", at(&format!("host_key_{kind}"))))
        .collect();
    let more_host_keys = more_host_keys.concat();
    let config = format!(
        "{}\nListenAddress 127.0.0.1:{port}\nHostKey {}\n{more_host_keys}AuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
         UsePAM {}\nPermitRootLogin yes\nPubkeyAuthentication yes\nLogLevel DEBUG1\nMaxStartups 100\n\
         PasswordAuthentication {}\nKbdInteractiveAuthentication {}\n{sftp}",
        options.config,
        at("host_key"),
        at("authorized_keys"),
        yes_or_no(options.keyboard_interactive),
        yes_or_no(!options.keyboard_interactive && !options.keys_only),
        yes_or_no(options.keyboard_interactive),
    );
    fs::write(home.join("config"), config).unwrap();
    let log = fs::File::create(home.join("log")).unwrap();
    let mut mounts = String::new();
    if options.password_account {
        mounts += "mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/shadow\" /etc/shadow && ";
    }
    if options.keyboard_interactive {
        fs::write(
            home.join("pam"),
            "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n",
        )
        .unwrap();
        mounts += "mount --bind \"$0/pam\" /etc/pam.d/sshd && ";
    }
    if options.small_disk {
        mounts += "mount -t tmpfs -o size=1m none \"$0/files/imports\" && ";
    }
    if options.chroot {
        mounts += "mount --bind \"$0/files\" /mnt && ";
    }
    let mut command = if options.password_account || options.small_disk || options.chroot {
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "/bin/sh", "-c"]);
        command.arg(mounts + "exec /usr/sbin/sshd -D -e -f \"$0/config\"").arg(home);
        command
    } else {
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(home.join("config"));
        command
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("/usr/sbin/sshd (openssh-server)")
}

fn yes_or_no(choice: bool) -> &'static str {
    if choice { "yes" } else { "no" }
}

/// Whether sshd greets on its port before it ends or ten seconds are over.
fn answers(child: &mut Child, port: u16) -> bool {
    let give_up = Instant::now() + Duration::from_secs(10);
    while Instant::now() < give_up && child.try_wait().unwrap().is_none() {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            let mut greeting = String::new();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            if BufReader::new(stream).read_line(&mut greeting).is_ok() && greeting.starts_with("SSH-") {
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn make_password_account(home: &Path, chroot: bool) {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let files = home.join("files");
    let entry = format!(
        "{PASSWORD_ACCOUNT}:x:{PASSWORD_ACCOUNT_ID}:{PASSWORD_ACCOUNT_ID}::{}:/bin/sh
",
        files.display()
    );
    fs::write(home.join("passwd"), passwd + &entry).unwrap();
    let shadow = fs::read_to_string("/etc/shadow").unwrap();
    let mut copy =
        fs::File::options().write(true).create_new(true).mode(0o600).open(home.join("shadow")).unwrap();
    writeln!(copy, "{shadow}{PASSWORD_ACCOUNT}:{PASSWORD_HASH}:20000:0:99999:7:::").unwrap();
    // sshd puts nobody into a folder that is their own.
    let owned = if chroot {
        &["files/imports", "files/export"][..]
    } else {
        &["files", "files/imports", "files/export"]
    };
    for folder in owned {
        std::os::unix::fs::chown(home.join(folder), Some(PASSWORD_ACCOUNT_ID), Some(PASSWORD_ACCOUNT_ID))
            .unwrap();
    }
}

fn keygen(path: &Path, kind: &str, passphrase: &str) {
    keygen_with(path, &[kind], passphrase);
}

fn keygen_with(path: &Path, kind: &[&str], passphrase: &str) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t"])
        .args(kind)
        .args(["-N", passphrase, "-C", "rosterbridge-test", "-f"])
        .arg(path)
        .status()
        .expect("ssh-keygen (openssh-client)");
    assert!(status.success());
}

fn whoami() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}
