//! The Raptor integration.

use clap::Subcommand;

/// The Raptor integration.
#[derive(Debug, Subcommand)]
pub enum Raptor {
    /// Its status, its window, and what it does next
    Status,
    /// How the status came about, latest first
    History {
        /// How many at most
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Switch it on: shows what that comes to, and when it begins
    Enable {
        /// Only show it
        #[arg(long)]
        dry_run: bool,
    },
    /// Switch it off
    Disable,
}
