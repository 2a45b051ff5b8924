//! Whether this computer finds its proxy by a script (proxy auto-configuration). Such scripts are JavaScript and are
//! not run here; a person is told to enter the proxy by hand.

use std::time::Duration;

/// Where the script is, if the system is set to use one.
pub(crate) async fn configured() -> Option<String> {
    /// Some systems are asked through a program of theirs, which must not hold us up.
    const PATIENCE: Duration = Duration::from_secs(3);

    tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(script)).await.ok()?.ok()?
}

/// Windows keeps it with the Internet options of the signed-in person.
#[cfg(windows)]
fn script() -> Option<String> {
    windows_registry::CURRENT_USER
        .open(r"Software\Microsoft\Windows\CurrentVersion\Internet Settings")
        .and_then(|settings| settings.get_string("AutoConfigURL"))
        .ok()
        .filter(|address| !address.is_empty())
}

/// macOS tells it among the network settings in use.
#[cfg(target_os = "macos")]
fn script() -> Option<String> {
    let output = std::process::Command::new("/usr/sbin/scutil").arg("--proxy").output().ok()?;
    in_scutil(&String::from_utf8_lossy(&output.stdout))
}

/// Elsewhere: the environment variable `auto_proxy`, as Chromium reads it, then GNOME's settings.
#[cfg(not(any(windows, target_os = "macos")))]
fn script() -> Option<String> {
    if let Some(address) = std::env::var("auto_proxy").ok().filter(|address| !address.is_empty()) {
        return Some(address);
    }
    let setting = |key| {
        let output =
            std::process::Command::new("gsettings").args(["get", "org.gnome.system.proxy", key]).output();
        output.ok().map(|output| unquoted(&String::from_utf8_lossy(&output.stdout)))
    };
    (setting("mode")? == "auto").then(|| setting("autoconfig-url").unwrap_or_default())
}

/// A text as `gsettings` prints it: `'auto'`.
#[cfg(not(any(windows, target_os = "macos")))]
fn unquoted(printed: &str) -> String {
    printed.trim().trim_matches('\'').to_owned()
}

/// Finds the script in the answer of `scutil --proxy`: lines such as `ProxyAutoConfigEnable : 1`.
#[cfg(any(target_os = "macos", test))]
fn in_scutil(printed: &str) -> Option<String> {
    let value = |key: &str| {
        printed.lines().find_map(|line| {
            let (name, value) = line.split_once(" : ")?;
            (name.trim() == key).then(|| value.trim().to_owned())
        })
    };
    if value("ProxyAutoConfigEnable")? == "1" { value("ProxyAutoConfigURLString") } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::on(
        "<dictionary> {\n  ProxyAutoConfigEnable : 1\n  ProxyAutoConfigURLString : http://pac.example.org/proxy.pac\n}\n",
        Some("http://pac.example.org/proxy.pac")
    )]
    #[case::off(
        "<dictionary> {\n  ProxyAutoConfigEnable : 0\n  ProxyAutoConfigURLString : http://pac.example.org/proxy.pac\n}\n",
        None
    )]
    #[case::none("<dictionary> {\n  HTTPEnable : 0\n}\n", None)]
    fn reads_what_scutil_prints(#[case] printed: &str, #[case] script: Option<&str>) {
        assert_eq!(in_scutil(printed).as_deref(), script);
    }
}
