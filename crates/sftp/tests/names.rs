//! Addresses and remote names, which come from people and files.

use proptest::prelude::*;
use rosterbridge_sftp::{Address, RemoteFile, RemoteFolder};
use rstest::rstest;

#[rstest]
#[case("sftp://sftp.hero.schoolmint.com", "sftp.hero.schoolmint.com", 2022)]
#[case("  SFTP://sftp.hero.schoolmint.com/ ", "sftp.hero.schoolmint.com", 2022)]
#[case("Sftp.Hero.Example", "sftp.hero.example", 2022)]
#[case("sftp.hero.example:22", "sftp.hero.example", 22)]
#[case("127.0.0.1:40022", "127.0.0.1", 40022)]
#[case("[::1]:22", "::1", 22)]
#[case("[fe80::1]", "fe80::1", 2022)]
#[case("fe80::1", "fe80::1", 2022)]
fn addresses_people_type(#[case] text: &str, #[case] host: &str, #[case] port: u16) {
    let address = Address::parse(text, 2022).unwrap();
    assert_eq!((address.host.as_str(), address.port), (host, port));
    assert_eq!(Address::parse(&address.to_string(), 1).unwrap(), address);
}

#[rstest]
#[case("")]
#[case("sftp://")]
#[case("ftp://host")]
#[case("https://district.powerschool.com")]
#[case("user@host")]
#[case("host/imports")]
#[case("host:")]
#[case("host:0")]
#[case("host:65536")]
#[case("host:22:22")]
#[case("[::1")]
#[case("[::1]x")]
#[case("[host]")]
#[case("two words")]
fn what_is_no_address(#[case] text: &str) {
    assert_eq!(Address::parse(text, 2022).unwrap_err().code(), "sftp.bad_address");
}

#[rstest]
#[case("imports/STUDENT.TXT", "imports", "STUDENT.TXT")]
#[case("STUDENT.TXT", "(login folder)", "STUDENT.TXT")]
#[case("/STUDENT.TXT", "/", "STUDENT.TXT")]
#[case("/data/in/..TXT", "/data/in", "..TXT")]
fn files_as_they_are_written(#[case] text: &str, #[case] folder: &str, #[case] name: &str) {
    let file = RemoteFile::parse(text).unwrap();
    assert_eq!((file.folder().to_string().as_str(), file.name()), (folder, name));
    assert_eq!(file.to_string(), text);
}

#[rstest]
#[case("")]
#[case("imports/")]
#[case("imports//STUDENT.TXT")]
#[case("imports/../STUDENT.TXT")]
#[case("../STUDENT.TXT")]
#[case("imports/..")]
#[case("imports/.")]
#[case("imports\\STUDENT.TXT")]
#[case("imports/A\0B")]
#[case("imports/A\nB")]
fn what_is_no_file(#[case] text: &str) {
    assert_eq!(RemoteFile::parse(text).unwrap_err().code(), "sftp.bad_name");
}

#[rstest]
#[case("", "(login folder)")]
#[case(".", "(login folder)")]
#[case("imports/", "imports")]
#[case("/", "/")]
#[case("/a/b/", "/a/b")]
fn folders_as_they_are_written(#[case] text: &str, #[case] shown: &str) {
    assert_eq!(RemoteFolder::parse(text).unwrap().to_string(), shown);
}

proptest! {
    #[test]
    fn a_name_never_leaves_its_folder(name in "\\PC{0,12}|[./\\\\a]{0,6}") {
        if let Ok(file) = RemoteFolder::parse("imports").unwrap().file(&name) {
            let path = file.to_string();
            let steps: Vec<_> = path.split(['/', '\\']).collect();
            prop_assert_eq!(steps, ["imports", name.as_str()]);
            prop_assert!(name != ".." && name != ".");
        }
    }

    #[test]
    fn an_address_never_panics_and_reads_itself(text in "\\PC{0,40}|(sftp://)?[a-z.\\[\\]:0-9]{0,20}") {
        if let Ok(address) = Address::parse(&text, 2022) {
            prop_assert_eq!(Address::parse(&address.to_string(), 1).unwrap(), address);
        }
    }
}
