//! The real OpenSSH server on 127.0.0.1 with throwaway keys, and a TCP proxy that stalls or cuts.

pub mod proxy;
pub mod sshd;
