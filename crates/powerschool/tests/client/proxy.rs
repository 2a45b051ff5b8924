//! Web proxies between us and the server.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rosterbridge_powerschool::{Connection, Proxy, StageName, Timeouts, reach};
use rosterbridge_practice::ServeOptions;
use rstest::rstest;
use secrecy::SecretString;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use url::Url;

use crate::{
    practice::{connection, district},
    raw,
    staged::{failure, plan, stage, test},
    stub::{self, Stub},
};

/// How the proxy treats those who ask.
#[derive(Clone, Copy)]
enum Rule {
    /// Whoever has the name `school` and the password `pass word:1`.
    SignIn,
    /// Nobody, with these challenges.
    Challenge(&'static str),
    /// Nobody, with this status.
    Refuse(u16),
    /// Nobody, and without a word.
    Silence,
}

struct Running {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// The first lines of all requests.
    fn requests(&self) -> Vec<String> {
        self.heads.lock().unwrap().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
    }
}

const PASSWORD: &str = "pass word:1";

async fn proxy(rule: Rule) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let running = Running { address, heads: heads.clone() };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, rule, heads.clone()));
        }
    });
    running
}

async fn pass(mut stream: TcpStream, rule: Rule, heads: Arc<Mutex<Vec<String>>>) {
    let Some(head) = raw::head(&mut stream).await else { return };
    heads.lock().unwrap().push(head.clone());
    let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("school:{PASSWORD}")));
    let shown = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .any(|(name, value)| name.eq_ignore_ascii_case("proxy-authorization") && value == credentials);
    let refusal = match rule {
        Rule::SignIn if shown => None,
        Rule::SignIn => {
            Some("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"school\"".to_owned())
        }
        Rule::Challenge(challenges) => Some(format!("407 Proxy Authentication Required\r\n{challenges}")),
        Rule::Refuse(status) => Some(format!("{status} No")),
        Rule::Silence => {
            // Until whoever asked gives up.
            _ = raw::head(&mut stream).await;
            return;
        }
    };
    if let Some(refusal) = refusal {
        let answer = format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        _ = stream.write_all(answer.as_bytes()).await;
        return;
    }
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap();
    let mut server = TcpStream::connect(target).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
}

fn through(connection: Connection, address: &str, username: &str, password: Option<&str>) -> Connection {
    let proxy = Proxy::Explicit {
        url: Url::parse(&format!("http://{address}")).unwrap(),
        username: username.to_owned(),
        password: password.map(SecretString::from),
    };
    Connection { proxy, ..connection }
}

#[tokio::test]
async fn a_proxy_with_credentials_carries_everything() {
    let running = district(ServeOptions::default()).await;
    let proxy = proxy(Rule::SignIn).await;
    let connection = through(connection(&running), &proxy.address, "school", Some(PASSWORD));
    let target = format!("{}:{}", connection.url.host(), connection.url.port());
    assert!(!format!("{connection:?}").contains(PASSWORD));

    let findings = test(plan(connection.clone())).await;
    assert!(findings.passed(), "{findings:#?}");
    assert!(stage(&findings, StageName::Dns).detail.contains("proxy"));
    assert!(stage(&findings, StageName::Tcp).detail.contains(&target));
    assert!(!format!("{findings:?}").contains(PASSWORD));
    reach(&connection).await.unwrap();
    let requests = proxy.requests();
    assert!(requests.iter().all(|line| *line == format!("CONNECT {target} HTTP/1.1")), "{requests:?}");
    // The stages' own connection, those of the requests, and the one that reaches the server.
    assert!(requests.len() >= 3, "{requests:?}");
    running.stop().await;
}

const NTLM: &str = "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM";
const BOTH: &str = "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=\"school\"";

#[rstest]
#[case::no_credentials(Rule::SignIn, "", None, "powerschool.proxy_credentials")]
#[case::wrong_password(Rule::SignIn, "school", Some("other"), "powerschool.proxy_credentials")]
#[case::windows_sign_in(Rule::Challenge(NTLM), "school", Some(PASSWORD), "powerschool.proxy_ntlm")]
#[case::either(Rule::Challenge(BOTH), "", None, "powerschool.proxy_credentials")]
#[case::forbidden(Rule::Refuse(403), "", None, "powerschool.proxy_refused")]
#[case::no_way(Rule::Refuse(502), "", None, "powerschool.proxy_refused")]
#[tokio::test]
async fn a_proxy_that_says_no_is_named(
    #[case] rule: Rule,
    #[case] username: &str,
    #[case] password: Option<&str>,
    #[case] code: &str,
) {
    let proxy = proxy(rule).await;
    let target = stub::connection("https://district.powerschool.example");
    let connection = through(target, &proxy.address, username, password);
    let findings = test(plan(connection.clone())).await;
    assert_eq!(failure(&findings), (StageName::Tcp, code), "{findings:#?}");
    let error = reach(&connection).await.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(&proxy.address), "{error}");
}

#[tokio::test]
async fn a_proxy_that_never_answers_is_named() {
    let proxy = proxy(Rule::Silence).await;
    let target = stub::connection("https://district.powerschool.example");
    let timeouts = Timeouts { connect: Duration::from_secs(1), ..target.timeouts };
    let connection = through(Connection { timeouts, ..target }, &proxy.address, "", None);
    let findings = test(plan(connection.clone())).await;
    assert_eq!(failure(&findings), (StageName::Tcp, "powerschool.proxy_timeout"), "{findings:#?}");
    let error = reach(&connection).await.unwrap_err();
    assert_eq!(error.code(), "powerschool.proxy_timeout", "{error}");
    assert!(error.to_string().contains(&proxy.address) && error.is_transient(), "{error}");
}

/// The password may be left of an earlier proxy.
#[tokio::test]
async fn without_a_user_name_no_password_is_shown() {
    let proxy = proxy(Rule::SignIn).await;
    let target = stub::connection("https://district.powerschool.example");
    reach(&through(target, &proxy.address, "", Some(PASSWORD))).await.unwrap_err();
    let heads = proxy.heads.lock().unwrap().clone();
    assert!(!heads.is_empty());
    assert!(heads.iter().all(|head| !head.to_ascii_lowercase().contains("authorization")), "{heads:?}");
}

/// An unencrypted request is handed to the proxy as a whole, so that the refusal is its answer.
#[tokio::test]
async fn a_refusal_of_an_unencrypted_request_is_named_too() {
    let stub = Stub::start(|_| None).await;
    for (rule, code) in
        [(Rule::SignIn, "powerschool.proxy_credentials"), (Rule::Challenge(NTLM), "powerschool.proxy_ntlm")]
    {
        let proxy = proxy(rule).await;
        let connection = through(stub::connection(&stub.url), &proxy.address, "", None);
        assert_eq!(reach(&connection).await.unwrap_err().code(), code);
    }
    assert!(stub.asked().is_empty());
}

#[rstest]
#[case::closed_port("127.0.0.1:1", StageName::Tcp)]
#[case::unknown_name("no-such-proxy.invalid:8080", StageName::Dns)]
#[tokio::test]
async fn a_proxy_that_is_not_there_is_named(#[case] address: &str, #[case] at: StageName) {
    let connection = through(stub::connection("https://district.powerschool.example"), address, "", None);
    assert_eq!(failure(&test(plan(connection.clone())).await), (at, "powerschool.proxy_unreachable"));
    let error = reach(&connection).await.unwrap_err();
    assert_eq!(error.code(), "powerschool.proxy_unreachable", "{error}");
    assert!(error.is_transient());
}

/// Runs [`asks_a_server_that_is_nowhere`] in a process with another environment.
async fn ask_with(environment: &[(&str, &str)]) -> String {
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "proxy::asks_a_server_that_is_nowhere", "--ignored", "--nocapture"]);
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "auto_proxy"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let child = command.envs(environment.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
    String::from_utf8(child.wait_with_output().await.unwrap().stdout).unwrap()
}

#[tokio::test]
#[ignore = "run by the tests below, with an environment"]
async fn asks_a_server_that_is_nowhere() {
    let connection = stub::connection("https://district.invalid");
    let (at, code) = failure(&test(plan(connection.clone())).await);
    println!("{at:?} {code} {}", reach(&connection).await.unwrap_err().code());
}

#[rstest]
#[case::direct(&[], "Dns powerschool.dns powerschool.dns")]
#[case::exception(&[("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "district.invalid")], "Dns powerschool.dns powerschool.dns")]
#[case::socks(&[("HTTPS_PROXY", "socks5://127.0.0.1:1")], "Dns powerschool.bad_proxy powerschool.bad_proxy")]
#[cfg_attr(
    not(any(windows, target_os = "macos")),
    case::script(
        &[("auto_proxy", "http://pac.example.org/proxy.pac")],
        "Dns powerschool.proxy_pac powerschool.proxy_pac"
    )
)]
#[tokio::test]
async fn the_systems_settings_decide(#[case] environment: &[(&str, &str)], #[case] expected: &str) {
    let printed = ask_with(environment).await;
    assert!(printed.contains(expected), "{printed}");
}

#[tokio::test]
async fn the_systems_proxy_is_used() {
    let proxy = proxy(Rule::Refuse(502)).await;
    let address = format!("http://school:word@{}", proxy.address);
    let printed = ask_with(&[("HTTPS_PROXY", &address)]).await;
    assert!(printed.contains("Tcp powerschool.proxy_refused powerschool.proxy_refused"), "{printed}");
    let heads = proxy.heads.lock().unwrap();
    assert!(heads.iter().all(|head| head.starts_with("CONNECT district.invalid:443 ")), "{heads:?}");
    let shown = format!("Basic {}", BASE64_STANDARD.encode("school:word"));
    assert!(heads.iter().all(|head| head.contains(&shown)), "{heads:?}");
}
