//! The client through its public interface: against servers that answer oddly, and against the practice district.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap fails the test")]

mod address;
mod practice;
mod proxy;
mod raw;
mod reading;
mod staged;
mod stub;
mod transport;
mod trust;
mod writing;
