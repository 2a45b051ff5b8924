//! ssh2 (this crate) beside russh with russh-sftp: 32 MB uploaded to OpenSSH's sshd, at no delay and at 50 ms
//! round trip. Run with `cargo bench -p rosterbridge-sftp`; docs/decisions/002-ssh2-for-sftp.md keeps the
//! figures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[cfg(unix)]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(unix)]
mod delay;

#[cfg(unix)]
fn main() {
    // `cargo test --benches` and nextest only want to know that it builds.
    if std::env::args().any(|argument| argument == "--bench") {
        unix::run();
    }
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use rosterbridge_sftp::{RemoteFile, connect};
    use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
    use russh_sftp::client::{Config, SftpSession};
    use secrecy::ExposeSecret;
    use tokio::io::AsyncWriteExt;
    use tokio_util::sync::CancellationToken;

    use crate::delay::delayed;
    use crate::support::sshd::Sshd;

    const MEGABYTES: u32 = 32;
    const BYTES: usize = MEGABYTES as usize * 1_000_000;
    const RUNS: usize = 5;

    pub fn run() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let data: Arc<[u8]> =
            (0_u32..).flat_map(|word| word.wrapping_mul(2_654_435_761).to_be_bytes()).take(BYTES).collect();
        println!("| round trip | client | median MB/s | slowest | fastest | ratio to ssh2 |");
        println!("|---|---|---|---|---|---|");
        for delay in [Duration::ZERO, Duration::from_millis(50)] {
            let sshd = Sshd::start();
            let port = if delay.is_zero() { sshd.port } else { delayed(sshd.port, delay / 2) };
            let mut speeds = [const { Vec::new() }; 3];
            // Side by side, so that whatever else the machine does hits all of them.
            for _ in 0..RUNS {
                speeds[0].push(runtime.block_on(ssh2_upload(&sshd, port, Arc::clone(&data))));
                speeds[1].push(runtime.block_on(russh_upload(&sshd, port, &data, Config::default())));
                let wide = Config { max_concurrent_writes: 128, ..Config::default() };
                speeds[2].push(runtime.block_on(russh_upload(&sshd, port, &data, wide)));
            }
            let reference = median(&mut speeds[0]);
            for (name, speeds) in
                ["ssh2 (ours)", "russh, as it comes", "russh, 128 writes open"].iter().zip(&mut speeds)
            {
                let middle = median(speeds);
                println!(
                    "| {} ms | {name} | {middle:.1} | {:.1} | {:.1} | {:.2} |",
                    delay.as_millis(),
                    speeds[0],
                    speeds[RUNS - 1],
                    middle / reference
                );
            }
        }
    }

    fn median(speeds: &mut [f64]) -> f64 {
        speeds.sort_by(f64::total_cmp);
        speeds[speeds.len() / 2]
    }

    fn megabytes_per_second(since: Instant) -> f64 {
        f64::from(MEGABYTES) / since.elapsed().as_secs_f64()
    }

    /// From the request to the finished file, on an open session; both clients write a temporary file, flush it
    /// to disk, check its size and rename it.
    async fn ssh2_upload(sshd: &Sshd, port: u16, data: Arc<[u8]>) -> f64 {
        let mut connection = sshd.connection();
        connection.address.port = port;
        let session = connect(&connection, &sshd.pins(), &CancellationToken::new()).await.unwrap();
        let file = RemoteFile::parse("imports/BENCH.TXT").unwrap();
        let start = Instant::now();
        let uploaded = session.upload(&file, move |out| out.write_all(&data)).await.unwrap();
        let speed = megabytes_per_second(start);
        assert_eq!(uploaded.bytes, BYTES as u64);
        std::fs::remove_file(sshd.files().join("imports/BENCH.TXT")).unwrap();
        speed
    }

    struct TrustAll;

    impl russh::client::Handler for TrustAll {
        type Error = russh::Error;

        async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
            Ok(true)
        }
    }

    async fn russh_upload(sshd: &Sshd, port: u16, data: &[u8], config: Config) -> f64 {
        let ssh_config = Arc::new(russh::client::Config { nodelay: true, ..Default::default() });
        let mut ssh = russh::client::connect(ssh_config, ("127.0.0.1", port), TrustAll).await.unwrap();
        let key = decode_secret_key(sshd.client_key("client_ed25519").expose_secret(), None).unwrap();
        let username = sshd.connection().username;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        assert!(ssh.authenticate_publickey(username, key).await.unwrap().success());
        let channel = ssh.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let sftp = SftpSession::new_with_config(channel.into_stream(), config).await.unwrap();
        let start = Instant::now();
        let mut file = sftp.create("imports/.BENCH.TXT.part").await.unwrap();
        file.write_all(data).await.unwrap();
        file.flush().await.unwrap();
        file.sync_all().await.unwrap();
        file.shutdown().await.unwrap();
        let found = sftp.metadata("imports/.BENCH.TXT.part").await.unwrap().size;
        sftp.rename("imports/.BENCH.TXT.part", "imports/BENCH.TXT").await.unwrap();
        let speed = megabytes_per_second(start);
        assert_eq!(found, Some(BYTES as u64));
        std::fs::remove_file(sshd.files().join("imports/BENCH.TXT")).unwrap();
        speed
    }
}
