use std::fmt;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Where an SFTP server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// Reads what a person types: a host, with or without `sftp://` in front (PowerSchool's form shows it with
    /// the scheme) and a port behind; `default_port` where none is given.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, Error> {
        let bad = |reason: &'static str| Error::BadAddress { text: text.trim().to_owned(), reason };
        let rest = text.trim();
        let rest = match rest.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sftp") => rest,
            Some(_) => return Err(bad("only sftp:// addresses can be used")),
            None => rest,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(bad("the account name belongs in its own field"));
        }
        if rest.contains('/') {
            return Err(bad("a folder does not belong in the address"));
        }
        let (host, port) = if let Some(bracketed) = rest.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']').ok_or_else(|| bad("a ']' is missing"))?;
            host.parse::<Ipv6Addr>().map_err(|_| bad("the part in brackets is not an IPv6 address"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(bad("there is something after the ']'")),
            }
        } else if rest.parse::<Ipv6Addr>().is_ok() {
            (rest, None)
        } else {
            match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        if host.is_empty() {
            return Err(bad("there is no host name in it"));
        }
        // What a resolver could look up; the rest is a typing slip, better named here than as a DNS failure.
        if !host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':')) {
            return Err(bad("a host name has letters, digits, dots and hyphens only"));
        }
        let port = match port {
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| bad("the port must be a number from 1 to 65535"))?,
            None => default_port,
        };
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}
