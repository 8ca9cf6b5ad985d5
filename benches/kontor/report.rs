//! Figures as people read them, and the part of `docs/performance.md` that they fill.

use std::{fmt, fs, path::Path, time::Duration};

use crate::Result;

const BEGIN: &str = "<!-- written by make bench -->";
const END: &str = "<!-- end -->";

/// How times are spread.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: Duration,
    pub p95: Duration,
    pub p99: Duration,
    pub most: Duration,
}

impl Spread {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied().unwrap_or_default();
        Self { median: at(50), p95: at(95), p99: at(99), most: at(100) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {}, p99 {}, at most {}", millis(self.median), millis(self.p99), millis(self.most))
    }
}

pub fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 10.0 { format!("{millis:.2} ms") } else { format!("{millis:.0} ms") }
}

pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}

/// A number with commas between its thousands.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The middle one; of floats, which have no order of their own.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

pub fn median_time(times: impl Iterator<Item = Duration>) -> Duration {
    Duration::from_secs_f64(median(times.map(|time| time.as_secs_f64()).collect()))
}

/// What is printed as it is found, and written down at the end.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
}

impl Report {
    /// A heading with the head of its table.
    pub fn table(&mut self, title: &str, columns: &[&str]) {
        self.line(format!("\n### {title}\n"));
        self.row(columns.iter().map(ToString::to_string));
        self.row(columns.iter().map(|_| "---".to_owned()));
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<_> = cells.into_iter().collect();
        self.line(format!("| {} |", cells.join(" | ")));
    }

    #[expect(clippy::print_stdout, reason = "this is what it is run for")]
    pub fn line(&mut self, line: String) {
        println!("{line}");
        self.lines.push(line);
    }

    /// For whoever waits; not written down.
    #[expect(clippy::print_stdout, reason = "this is what it is run for")]
    pub fn note(&self, note: &str) {
        println!("... {note}");
    }

    /// Replaces what the last run has written into the page.
    pub fn write_into(&self, page: &Path) -> Result<()> {
        let text = fs::read_to_string(page)?;
        let (before, rest) = text.split_once(BEGIN).ok_or("the page has no place for the figures")?;
        let (_, after) = rest.split_once(END).ok_or("the place for the figures has no end")?;
        fs::write(page, format!("{before}{BEGIN}\n{}\n{END}{after}", self.lines.join("\n").trim()))?;
        Ok(())
    }
}
