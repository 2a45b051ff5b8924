use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the proxy does to a connection once that many bytes have gone one way.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// To the server: passes nothing on any more and keeps both connections open.
    StallAfter(usize),
    /// To the server: closes both connections.
    CutAfter(usize),
    /// From the server: passes nothing on any more and keeps both connections open.
    StallAnswers(usize),
    /// From the server: closes both connections.
    CutAnswers(usize),
}

/// A TCP proxy to 127.0.0.1:`port`.
pub struct Proxy {
    pub port: u16,
    reached: Receiver<()>,
    to_server: Arc<Mutex<Vec<Arc<AtomicUsize>>>>,
}

impl Proxy {
    /// Every connection has the same fault.
    pub fn to(port: u16, fault: Fault) -> Self {
        Self::start(port, move |_| Some(fault))
    }

    /// The first connections have these faults, one each; those after them have none.
    pub fn failing_first(port: u16, faults: Vec<Fault>) -> Self {
        Self::start(port, move |number| faults.get(number).copied())
    }

    fn start(port: u16, fault_of: impl Fn(usize) -> Option<Fault> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let (reach, reached) = channel();
        let to_server = Arc::new(Mutex::new(Vec::new()));
        let counts = Arc::clone(&to_server);
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let client = client.unwrap();
                // Before the client can hear anything, so that whoever asks finds a count for each connection.
                let count = Arc::new(AtomicUsize::new(0));
                counts.lock().unwrap().push(Arc::clone(&count));
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (up, down) = match fault_of(number) {
                    Some(Fault::StallAfter(limit)) => (Some((limit, true)), None),
                    Some(Fault::CutAfter(limit)) => (Some((limit, false)), None),
                    Some(Fault::StallAnswers(limit)) => (None, Some((limit, true))),
                    Some(Fault::CutAnswers(limit)) => (None, Some((limit, false))),
                    None => (None, None),
                };
                let (to_client, from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (reach_up, reach_down) = (reach.clone(), reach.clone());
                thread::spawn(move || carry(from_server, to_client, down, &AtomicUsize::new(0), &reach_down));
                thread::spawn(move || carry(client, server, up, &count, &reach_up));
            }
        });
        Self { port: own_port, reached, to_server }
    }

    /// Waits until a fault has set in.
    pub fn wait_for_fault(&self) {
        self.reached.recv().expect("the proxy ended before its fault");
    }

    /// Bytes that went to the server, by connection.
    pub fn sent(&self) -> Vec<usize> {
        self.to_server.lock().unwrap().iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }
}

/// Carries bytes one way until the connection ends, or the fault sets in.
fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    fault: Option<(usize, bool)>,
    carried: &AtomicUsize,
    reach: &Sender<()>,
) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        let room = fault.map_or(usize::MAX, |(limit, _)| limit - carried.load(Ordering::SeqCst));
        let passed = count.min(room);
        carried.fetch_add(passed, Ordering::SeqCst);
        if to.write_all(&chunk[..passed]).is_err() {
            break;
        }
        if passed < count {
            let _ = reach.send(());
            if let Some((_, true)) = fault {
                // The line takes everything and nothing comes out, until an end closes it.
                while let Ok(1..) = from.read(&mut chunk) {}
            }
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
