//! A network between the product and a practice server that misbehaves: a relay that cuts, stalls, delays or repeats
//! what passes through it.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// What happens to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection that carries this byte, counted over all connections and both ways, is cut.
    Cut { at: u64 },
    /// From this byte on nothing passes any more, and nobody is told.
    Stall { at: u64 },
    /// The piece with this byte passes twice.
    Repeat { at: u64 },
    /// Every piece is late.
    Delay { milliseconds: u64 },
}

/// A relay in front of one server.
pub struct Relay {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    target: SocketAddr,
    fault: Mutex<Option<Fault>>,
    /// Told when the fault is taken away, for connections that stall.
    mended: Condvar,
    passed: AtomicU64,
}

impl Relay {
    /// Starts one in front of a server of this machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            target: SocketAddr::from(([127, 0, 0, 1], port)),
            fault: Mutex::new(None),
            mended: Condvar::new(),
            passed: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(accepting.target) else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let state = Arc::clone(&accepting);
                    thread::spawn(move || state.pass(from, to));
                }
            }
        });
        Self { port: own, state }
    }

    /// Begins counting anew, with this fault.
    pub fn set(&self, fault: Option<Fault>) {
        let mut current = self.state.fault.lock().unwrap();
        *current = fault;
        self.state.passed.store(0, Ordering::SeqCst);
        self.state.mended.notify_all();
    }

    /// Bytes that have passed since.
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }
}

impl State {
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = vec![0; 4096];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            let Some(piece) = piece.get(..length) else { break };
            let begin = self.passed.fetch_add(length as u64, Ordering::SeqCst);
            let here = |at: u64| (begin..begin + length as u64).contains(&at);
            let fault = *self.fault.lock().unwrap();
            match fault {
                Some(Fault::Cut { at }) if here(at) => break,
                Some(Fault::Stall { at }) if begin + length as u64 > at => {
                    let stalled = self.fault.lock().unwrap();
                    drop(self.mended.wait_while(stalled, |fault| matches!(fault, Some(Fault::Stall { .. }))));
                    break;
                }
                Some(Fault::Repeat { at }) if here(at) && to.write_all(piece).is_err() => break,
                Some(Fault::Delay { milliseconds }) => thread::sleep(Duration::from_millis(milliseconds)),
                _ => {}
            }
            if to.write_all(piece).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
