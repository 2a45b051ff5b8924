use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// What the proxy does once that many bytes have gone to the server.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Passes nothing on any more and keeps both connections open.
    StallAfter(usize),
    /// Closes both connections.
    CutAfter(usize),
}

/// A TCP proxy to 127.0.0.1:`port` for one connection.
pub struct Proxy {
    pub port: u16,
    reached: Receiver<()>,
}

impl Proxy {
    pub fn to(port: u16, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let (reach, reached) = channel();
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (to_client, from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass(from_server, to_client));
            upstream(client, server, fault, &reach);
        });
        Self { port: own_port, reached }
    }

    /// Waits until the fault has set in.
    pub fn wait_for_fault(&self) {
        self.reached.recv().expect("the proxy ended before its fault");
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn upstream(mut client: TcpStream, mut server: TcpStream, fault: Fault, reach: &Sender<()>) {
    let (Fault::StallAfter(limit) | Fault::CutAfter(limit)) = fault;
    let mut chunk = [0; 16 * 1024];
    let mut passed = 0;
    while let Ok(count @ 1..) = client.read(&mut chunk) {
        if passed + count > limit {
            let _ = reach.send(());
            match fault {
                // The line takes everything and nothing comes back, until the client closes its end.
                Fault::StallAfter(_) => while let Ok(1..) = client.read(&mut chunk) {},
                Fault::CutAfter(_) => {}
            }
            break;
        }
        passed += count;
        if server.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
