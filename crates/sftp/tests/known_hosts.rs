//! Host keys from elsewhere: OpenSSH's `known_hosts`, and fingerprints as people paste them.
#![cfg(unix)]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use rosterbridge_sftp::fingerprint;
use rosterbridge_sftp::known_hosts::{Marker, read};
use rosterbridge_sftp::{ExpectedFingerprint, HostKey, Pin};
use rstest::{fixture, rstest};
use tempfile::TempDir;

/// Keys of every type, as lines `TYPE BASE64` without a comment.
struct Keys {
    folder: TempDir,
    lines: Vec<String>,
}

const KINDS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

#[fixture]
fn keys() -> Keys {
    let folder = tempfile::tempdir().unwrap();
    let lines = KINDS.iter().map(|kind| keygen(folder.path(), kind)).collect();
    Keys { folder, lines }
}

fn keygen(folder: &Path, kind: &str) -> String {
    let path = folder.join(kind);
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", "office", "-f"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    let line = fs::read_to_string(path.with_extension("pub")).unwrap();
    line.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

impl Keys {
    /// What `ssh-keygen -lf` prints for a key.
    fn listed(&self, kind: &str, hash: &str) -> String {
        let output = Command::new("ssh-keygen")
            .args(["-E", hash, "-lf"])
            .arg(self.folder.path().join(format!("{kind}.pub")))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same file with every name hashed, by OpenSSH itself.
    fn hashed(&self, text: &str) -> String {
        let path = self.folder.path().join("known_hosts");
        fs::write(&path, text).unwrap();
        let status = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&path).output().unwrap();
        assert!(status.status.success());
        fs::read_to_string(&path).unwrap()
    }

    /// The lines OpenSSH finds in the file for a name.
    fn found_by_openssh(&self, text: &str, name: &str) -> Vec<usize> {
        let path = self.folder.path().join("known_hosts");
        fs::write(&path, text).unwrap();
        let output = Command::new("ssh-keygen").args(["-F", name, "-f"]).arg(&path).output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| {
                line.split_whitespace().skip_while(|word| *word != "line").nth(1).unwrap().parse().unwrap()
            })
            .collect()
    }

    /// The key as the parser gives it.
    fn key(&self, index: usize) -> HostKey {
        let known = read(&format!("any {}", self.lines[index]), "any", 22);
        known.found[0].key.clone()
    }
}

#[rstest]
#[case::plain("sftp.hero.example", "sftp.hero.example", 22, true)]
#[case::other_name("sftp.hero.example", "hero.example", 22, false)]
#[case::case_does_not_matter("SFTP.Hero.example", "sftp.hero.EXAMPLE", 22, true)]
#[case::a_name_alone_is_port_22("sftp.hero.example", "sftp.hero.example", 2022, false)]
#[case::with_port("[sftp.hero.example]:2022", "sftp.hero.example", 2022, true)]
#[case::other_port("[sftp.hero.example]:2022", "sftp.hero.example", 2222, false)]
#[case::port_is_not_22("[sftp.hero.example]:2022", "sftp.hero.example", 22, false)]
#[case::several("one,two,sftp.hero.example", "two", 22, true)]
#[case::star("*.example", "sftp.hero.example", 22, true)]
#[case::star_needs_the_rest("*.example", "sftp.hero.example.net", 22, false)]
#[case::star_and_port("[*.example]:2022", "sftp.hero.example", 2022, true)]
#[case::star_alone_is_everything("*", "sftp.hero.example", 2022, true)]
#[case::stars("*hero*ex*le", "sftp.hero.example", 22, true)]
#[case::question_mark("sft?.hero.example", "sftp.hero.example", 22, true)]
#[case::question_mark_is_one("sftp?.hero.example", "sftp.hero.example", 22, false)]
#[case::excluded("*.example,!sftp.hero.example", "sftp.hero.example", 22, false)]
#[case::excluded_first("!sftp.hero.example,*.example", "sftp.hero.example", 22, false)]
#[case::another_excluded("*.example,!old.hero.example", "sftp.hero.example", 22, true)]
#[case::only_excluded("!old.hero.example", "sftp.hero.example", 22, false)]
#[case::address("192.0.2.7", "192.0.2.7", 22, true)]
#[case::ipv6("2001:db8::7", "2001:DB8::7", 22, true)]
#[case::ipv6_with_port("[2001:db8::7]:2022", "2001:db8::7", 2022, true)]
fn names_are_matched_as_openssh_matches_them(
    keys: Keys,
    #[case] names: &str,
    #[case] host: &str,
    #[case] port: u16,
    #[case] expected: bool,
) {
    let text = format!("# a comment\n\n{names} {} office\n", keys.lines[0]);
    let known = read(&text, host, port);
    assert_eq!(known.problems, []);
    assert_eq!(
        known.found.iter().map(|found| found.line).collect::<Vec<_>>(),
        vec![3; usize::from(expected)]
    );

    let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
    assert_eq!(!keys.found_by_openssh(&text, &name).is_empty(), expected, "ssh-keygen -F {name}");

    // ssh-keygen leaves names with wildcards as they are, and warns of them.
    if !names.contains(['*', '?', '!']) {
        let hashed = keys.hashed(&text);
        assert!(hashed.contains("|1|") && !hashed.contains("example,"), "{hashed}");
        let known = read(&hashed, host, port);
        assert_eq!((known.found.len(), known.problems.len()), (usize::from(expected), 0));
        assert!(known.found.iter().all(|found| found.hashed));
    }
}

#[rstest]
fn every_line_is_read_by_itself_and_a_bad_one_loses_nothing(keys: Keys) {
    let [ed25519, ecdsa, rsa] = [&keys.lines[0], &keys.lines[1], &keys.lines[2]];
    let text = format!(
        "\u{feff}# host:2022 SSH-2.0-OpenSSH_9.2p1\r\n\
         host {ed25519}\r\n\
         \t host\t{ecdsa}   a comment # with a mark\r\n\
         host\n\
         host ssh-ed25519 not-base64\n\
         host ssh-rsa {}\n\
         host ssh-dss AAAAB3NzaC1kc3MAAACBAA==\n\
         host 2048 65537 1234567890\n\
         @strange host {rsa}\n\
         |1|damaged {rsa}\n\
         |2|c2FsdA==|aGFzaA== {rsa}\n\
         host ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n\
         @cert-authority *.example,host {rsa} authority\n\
         @revoked * {ecdsa}\n\
         host {rsa}\n\
         host {rsa}",
        ed25519.split(' ').nth(1).unwrap(),
    );
    let known = read(&text, "host", 22);
    let found: Vec<_> =
        known.found.iter().map(|found| (found.line, found.key.algorithm.as_str(), found.marker)).collect();
    assert_eq!(
        found,
        [
            (2, "ssh-ed25519", None),
            (3, "ecdsa-sha2-nistp256", None),
            (13, "ssh-rsa", Some(Marker::CertAuthority)),
            (14, "ecdsa-sha2-nistp256", Some(Marker::Revoked)),
            (15, "ssh-rsa", None),
            (16, "ssh-rsa", None),
        ]
    );
    let problems: Vec<_> = known.problems.iter().map(|problem| (problem.line, problem.reason)).collect();
    assert_eq!(
        problems,
        [
            (4, "it is not complete"),
            (5, "its key is damaged"),
            (6, "its key is damaged"),
            (7, "keys of its type can't be used"),
            (8, "its key is for SSH 1"),
            (9, "its mark is unknown"),
            (10, "the server's name in it is damaged"),
            (11, "the server's name in it is damaged"),
            (12, "its key is damaged"),
        ]
    );
    // The revoked key is not accepted, though another line has it; of a type there is one.
    assert_eq!(known.pins(), [Pin::from(&keys.key(0)), Pin::from(&keys.key(2))]);
    assert!(known.revokes(&keys.key(1)) && !known.revokes(&keys.key(2)));
    assert_eq!(keys.key(0).sha256, keys.listed("ed25519", "sha256").split(' ').nth(1).unwrap());
}

// Fingerprints

fn matching(pasted: &str, key: &HostKey) -> bool {
    fingerprint::parse(pasted).unwrap().matches(key)
}

#[rstest]
#[case::as_shown("SHA256:{sha256}")]
#[case::without_prefix("{sha256}")]
#[case::padded("SHA256:{sha256}=")]
#[case::small_prefix("  sha256:{sha256}\n")]
#[case::in_a_sentence("The server's fingerprint is SHA256:{sha256}.")]
#[case::quoted("\"SHA256:{sha256}\",")]
#[case::hexadecimal("{sha256_hex}")]
#[case::md5("MD5:{md5}")]
#[case::md5_alone("{md5}")]
#[case::md5_capitals("{MD5}")]
#[case::md5_without_colons("{md5_plain}")]
#[case::md5_small_prefix("md5:{md5}")]
#[case::md5_hyphens("{md5_hyphens}")]
#[case::keygen_line("{line}")]
#[case::keygen_md5_line("{md5_line}")]
#[case::keygen_line_of_old("256 {md5} office (ED25519)")]
#[case::both("{line}{md5_line}")]
#[case::twice("{line}{line}")]
#[case::public_key("{key}")]
#[case::public_key_with_comment("{key} root@sftp")]
#[case::keyscan("[sftp.hero.example]:2022 {key}\n")]
fn a_fingerprint_is_recognized_however_it_is_pasted(keys: Keys, #[case] template: &str) {
    let key = keys.key(0);
    let sha256 = key.sha256.strip_prefix("SHA256:").unwrap();
    let md5 = key.md5.strip_prefix("MD5:").unwrap();
    let digest = base64::Engine::decode(&base64::engine::general_purpose::STANDARD_NO_PAD, sha256).unwrap();
    let pasted = template
        .replace("{sha256_hex}", &hex::encode_upper(digest))
        .replace("{sha256}", sha256)
        .replace("{md5_plain}", &md5.replace(':', ""))
        .replace("{md5_hyphens}", &md5.replace(':', "-"))
        .replace("{md5_line}", &keys.listed("ed25519", "md5"))
        .replace("{md5}", md5)
        .replace("{MD5}", &md5.to_uppercase())
        .replace("{line}", &keys.listed("ed25519", "sha256"))
        .replace("{key}", &keys.lines[0]);
    assert!(matching(&pasted, &key), "{pasted}");
    assert!(!matching(&pasted, &keys.key(1)), "{pasted}");
    let named = template.contains("{line}") || template.contains("{md5_line}") || template.contains("{key}");
    let expected = fingerprint::parse(&pasted).unwrap();
    let named = named || template.contains("(ED25519)");
    assert_eq!(expected.algorithm(), named.then_some("ssh-ed25519"));
}

#[rstest]
#[case::nothing("")]
#[case::words("Yes, accept host key")]
#[case::cut_off("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF")]
#[case::too_long("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUU")]
#[case::other_letters("SHA256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")]
#[case::md5_cut_off("MD5:d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42")]
#[case::md5_odd("d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7")]
#[case::two_of_them(
    "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)]
#[case::sha512(
    "SHA512:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg"
)]
fn what_is_no_fingerprint_is_said_to_be_none(#[case] pasted: &str) {
    assert_eq!(fingerprint::parse(pasted).unwrap_err().code(), "sftp.bad_fingerprint");
}

/// Whether `*` and `?` cover a name, the slow and obvious way.
fn covers(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|taken| covers(rest, &name[taken..])),
        Some((expected, rest)) => name
            .split_first()
            .is_some_and(|(first, name)| (*expected == '?' || expected == first) && covers(rest, name)),
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "(?s).{0,200}|([@|a*?!,\\[\\]:1 =\t\nA/]|ssh-ed25519 |\\|1\\|){0,60}", host in "\\PC{0,12}", port: u16) {
        let known = read(&text, &host, port);
        let lines = text.lines().count();
        prop_assert!(known.found.iter().map(|found| found.line).chain(known.problems.iter().map(|problem| problem.line)).all(|line| line >= 1 && line <= lines.max(1)));
        let _: Option<ExpectedFingerprint> = fingerprint::parse(&text).ok();
    }

    #[test]
    fn wildcards_cover_what_they_say(pattern in "[ab*?]{1,8}", name in "[ab]{1,10}") {
        // Any key will do.
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
        let known = read(&format!("{pattern} {key}"), &name, 22);
        prop_assert_eq!(known.problems.len(), 0);
        let (pattern, name): (Vec<_>, Vec<_>) = (pattern.chars().collect(), name.chars().collect());
        prop_assert_eq!(known.found.len() == 1, covers(&pattern, &name));
    }
}
