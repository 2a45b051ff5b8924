//! Types and rules of the exchange, without input, output or a clock: time is passed in.
#![forbid(unsafe_code)]

pub mod attendance;
pub mod calendar;
pub mod dated_path;
pub mod day;
pub mod expression;
pub mod following;
pub mod held;
pub mod id;
pub mod integration;
pub mod job;
pub mod mapping;
pub mod notice;
pub mod retry;
pub mod roster;
pub mod schedule;
pub mod school_year;
pub mod settings;
pub mod window;
