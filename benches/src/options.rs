//! What may be said after `cargo bench --bench NAME --`.

use clap::Parser;

/// Options of every bench; each uses those that mean something to it.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Times every contender is run; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub runs: usize,
    /// Log events of the mixed corpus
    #[arg(long, value_name = "N", default_value_t = 1_200_000)]
    pub lines: u64,
    /// Seed of the mixed corpus
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Sources of the largest growth corpus
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub sources: u64,
    /// Given by cargo bench; without it nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
    /// What a bench runs itself as, to be measured as a process of its own
    #[arg(long, hide = true, num_args = 2, value_names = ["LIMIT", "FILE"])]
    pub limit: Option<Vec<String>>,
}

impl Options {
    /// The options of this run; `None` where `cargo test --all-targets` built and ran the bench.
    pub fn parsed() -> Option<Options> {
        let options = Options::parse();
        if !options.bench && options.limit.is_none() {
            println!("SKIPPED: benches are run by `cargo bench -p tidewatch-benches`");
            return None;
        }
        Some(options)
    }
}
