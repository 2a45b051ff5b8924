//! One file uploaded to OpenSSH's sshd by this crate and by OpenSSH's own `sftp`, in turn, at no delay and at 50 ms round
//! trip. Run with `cargo bench -p rosterbridge-sftp --bench openssh -- FILE`; it prints a JSON object a delay, with the
//! seconds of each run. Connecting counts for both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[cfg(unix)]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(unix)]
mod delay;

#[cfg(unix)]
fn main() {
    // `cargo test --benches` and nextest only want to know that it builds.
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    if let (Some(file), true) = (file, std::env::args().any(|argument| argument == "--bench")) {
        unix::run(std::path::Path::new(&file));
    }
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::{Duration, Instant};

    use rosterbridge_sftp::{RemoteFile, connect};
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use crate::delay::delayed;
    use crate::support::sshd::Sshd;

    /// Counted runs; one more goes before, uncounted.
    const RUNS: usize = 5;
    const NAME: &str = "imports/BENCH.TXT";

    pub fn run(file: &Path) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let size = fs::metadata(file).unwrap().len();
        for delay in [Duration::ZERO, Duration::from_millis(50)] {
            let sshd = Sshd::start();
            let port = if delay.is_zero() { sshd.port } else { delayed(sshd.port, delay / 2) };
            let (mut ours, mut openssh) = (Vec::new(), Vec::new());
            for round in 0..=RUNS {
                let times = [
                    runtime.block_on(upload(&sshd, port, file.to_owned(), size)),
                    put(&sshd, port, file, size),
                ];
                if round > 0 {
                    ours.push(times[0]);
                    openssh.push(times[1]);
                }
            }
            println!(
                "{}",
                json!({"delay_ms": delay.as_millis(), "bytes": size, "ours": ours, "openssh": openssh})
            );
        }
    }

    /// A temporary file, flushed, its size checked, and renamed: more than the other client does.
    async fn upload(sshd: &Sshd, port: u16, file: PathBuf, size: u64) -> f64 {
        let mut connection = sshd.connection();
        connection.address.port = port;
        let start = Instant::now();
        let session = connect(&connection, &sshd.pins(), &CancellationToken::new()).await.unwrap();
        let target = RemoteFile::parse(NAME).unwrap();
        let sent = session.upload(&target, move |out| io::copy(&mut File::open(&file)?, out).map(drop));
        assert_eq!(sent.await.unwrap().bytes, size);
        let seconds = start.elapsed().as_secs_f64();
        fs::remove_file(sshd.files().join(NAME)).unwrap();
        seconds
    }

    fn put(sshd: &Sshd, port: u16, file: &Path, size: u64) -> f64 {
        let folder = tempfile::tempdir().unwrap();
        let (batch, key) = (folder.path().join("batch"), sshd.client_key_file("client_ed25519"));
        fs::write(&batch, format!("put {} {NAME}\n", file.display())).unwrap();
        let mut sftp = Command::new("sftp");
        sftp.args(["-q", "-F", "none", "-o", "StrictHostKeyChecking=no"])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", folder.path().join("known_hosts").display()))
            .arg("-i")
            .arg(key)
            .arg("-b")
            .arg(batch)
            .args(["-P", &port.to_string()])
            .arg(format!("{}@127.0.0.1", sshd.connection().username));
        let start = Instant::now();
        let output = sftp.output().unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::metadata(sshd.files().join(NAME)).unwrap().len(), size);
        fs::remove_file(sshd.files().join(NAME)).unwrap();
        seconds
    }
}
