//! The real OpenSSH server on 127.0.0.1 with throwaway keys, a TCP proxy that stalls or cuts, and servers
//! that others wrote.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

pub mod proxy;
pub mod python;
pub mod sshd;
