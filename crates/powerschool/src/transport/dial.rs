//! Connections made step by step, for the stages of a test and to find out why a whole attempt failed.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::net::TcpStream;

use super::{Connection, pac, proxy::HttpProxy};
use crate::{address::ServerUrl, error::Error, transport::Proxy};

/// How long an address has to itself before the next one is tried too (RFC 8305: 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// The way to one server.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    server: ServerUrl,
    pub(crate) proxy: Option<HttpProxy>,
    /// Whether a script of the system might know of a proxy.
    asks_system: bool,
    patience: Duration,
}

impl Route {
    pub(crate) fn new(connection: &Connection) -> Result<Self, Error> {
        let proxy = HttpProxy::of(&connection.proxy, &connection.url)?;
        let asks_system =
            proxy.is_none() && matches!(connection.proxy, Proxy::System) && !connection.url.is_loopback();
        Ok(Self { server: connection.url.clone(), proxy, asks_system, patience: connection.timeouts.connect })
    }

    /// Finds the addresses to connect to: the proxy's, if there is one.
    pub(crate) async fn resolve(&self) -> Result<Vec<SocketAddr>, Error> {
        let (host, port) = match &self.proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (self.server.host(), self.server.port()),
        };
        let address = (host.trim_matches(['[', ']']), port);
        let found = match tokio::time::timeout(self.patience, tokio::net::lookup_host(address)).await {
            Ok(Ok(found)) => found.collect::<Vec<_>>(),
            Ok(Err(_)) => Vec::new(),
            Err(_) => return Err(self.timeout()),
        };
        if found.is_empty() {
            return Err(match &self.proxy {
                Some(proxy) => Error::ProxyUnreachable { proxy: proxy.name() },
                None => self.without_proxy(Error::Dns { host: self.server.host().to_owned() }).await,
            });
        }
        Ok(found)
    }

    /// Connects to whichever of the addresses answers first, in their order with a short head start each, and lets
    /// the proxy connect to the server.
    pub(crate) async fn connect(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
        let connecting = tokio::time::timeout(self.patience, fastest(addresses)).await;
        let Some(proxy) = &self.proxy else {
            return match connecting {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(_)) => {
                    let host = self.server.host().to_owned();
                    Err(self.without_proxy(Error::Unreachable { host }).await)
                }
                Err(_) => Err(self.without_proxy(self.timeout()).await),
            };
        };
        let Ok(Ok(mut stream)) = connecting else {
            return Err(Error::ProxyUnreachable { proxy: proxy.name() });
        };
        // An unencrypted request is handed to the proxy as it is.
        if self.server.is_encrypted() {
            match tokio::time::timeout(self.patience, proxy.open_tunnel(&mut stream, &self.server)).await {
                Ok(opened) => opened?,
                Err(_) => return Err(Error::ProxyTimeout { proxy: proxy.name(), after: self.patience }),
            }
        }
        Ok(stream)
    }

    /// What a failure to connect directly means where a script may have named a proxy.
    pub(crate) async fn without_proxy(&self, error: Error) -> Error {
        if !self.asks_system {
            return error;
        }
        match pac::configured().await {
            Some(script) => Error::ProxyPac { host: self.server.host().to_owned(), script },
            None => error,
        }
    }

    fn timeout(&self) -> Error {
        Error::Timeout { host: self.server.host().to_owned(), after: self.patience }
    }
}

async fn fastest(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let attempts = addresses.iter().copied().enumerate().map(|(place, address)| async move {
        tokio::time::sleep(HEAD_START * u32::try_from(place).unwrap_or(u32::MAX)).await;
        TcpStream::connect(address).await
    });
    let mut attempts = stream::iter(attempts).buffer_unordered(addresses.len().max(1));
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    while let Some(attempt) = attempts.next().await {
        match attempt {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
