//! Tables on standard output: Markdown, so that a run can be quoted as it stands.

/// Prints the bench's name, what it ran on, and the machine.
pub fn heading(bench: &str, corpus: &str, versions: &[String]) {
    println!("\n## {bench}\n");
    println!("- corpus: {corpus}");
    println!("- machine: {}, {} cores, {}", processor(), cores(), system());
    for version in versions {
        println!("- {version}");
    }
    println!();
}

/// Prints a table; the first column is text, the others are numbers.
pub fn print(head: &[&str], rows: &[Vec<String>]) {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([head[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let cell = |(at, cell): (usize, &str)| match at {
            0 => format!("{cell:<width$}", width = widths[at]),
            _ => format!("{cell:>width$}", width = widths[at]),
        };
        let cells: Vec<String> = cells.into_iter().enumerate().map(cell).collect();
        println!("| {} |", cells.join(" | "));
    };
    line(head.to_vec());
    let rule = |(at, width): (usize, &usize)| match at {
        0 => "-".repeat(width + 2),
        _ => format!("{}:", "-".repeat(width + 1)),
    };
    let rules: Vec<String> = widths.iter().enumerate().map(rule).collect();
    println!("|{}|", rules.join("|"));
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
    println!();
}

/// Bytes as MiB with one decimal.
pub fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn proc(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn processor() -> String {
    let about = proc("/proc/cpuinfo");
    let model = about.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn system() -> String {
    let load = proc("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown");
    format!("{}, load {load} at the start", std::env::consts::OS)
}
