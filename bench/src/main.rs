//! What the server costs: `make bench` prints it as tables, beside bare servers measured in the same run.
//!
//! The machine is shared with whatever else runs on it, so only ratios within one run and the CPU time of the measured
//! process say something; README.md tells how to read them.

mod calls;
mod sync;
mod search;
mod start;
mod audit;
mod bare;
mod copy;
mod bench;
mod load;
mod process;
mod place;
mod people;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use bench::Bench;

/// Measures the server.
#[derive(Parser)]
struct Arguments {
    /// Fewer repetitions and smaller tables: under three minutes
    #[arg(long)]
    quick: bool,
    /// Only these parts
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Part>,
    /// Also a million contacts and ten million records of the audit
    #[arg(long)]
    large: bool,
    /// The server to measure; without it one is built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    Calls,
    Sync,
    Search,
    Start,
    Audit,
}

/// What a process of this program is when it is not the one that measures.
#[derive(Subcommand)]
enum Role {
    /// A bare server to compare with
    #[command(hide = true)]
    Bare(bare::Options),
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Role::Bare(options)) = arguments.role {
        return bare::serve(options).await;
    }
    let mut bench = Bench::new(arguments.quick, arguments.large, arguments.binary)?;
    let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    if wanted(Part::Calls) {
        calls::measure(&mut bench).await?;
    }
    if wanted(Part::Sync) {
        sync::measure(&mut bench).await?;
    }
    if wanted(Part::Search) {
        search::measure(&mut bench).await?;
    }
    if wanted(Part::Start) {
        start::measure(&mut bench).await?;
    }
    if wanted(Part::Audit) {
        audit::measure(&mut bench).await?;
    }
    bench.conclude();
    Ok(())
}
