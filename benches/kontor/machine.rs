//! What the operating system tells about processes: processor time, memory, the load.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::Result;

/// A process, or a process with its children.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// User and system time of this process so far.
    pub fn processor_time(self) -> Result<Duration> {
        Ok(ticks(&stat(self.0)?, [11, 12]))
    }

    /// The same of it, its living children and those that have ended: all of a PostgreSQL.
    pub fn family_time(self) -> Result<Duration> {
        let mut sum = ticks(&stat(self.0)?, [11, 12]) + ticks(&stat(self.0)?, [13, 14]);
        for entry in fs::read_dir("/proc")? {
            let Ok(id) = entry?.file_name().to_string_lossy().parse() else { continue };
            // one that ends meanwhile is counted by its parent the next time
            let Ok(fields) = stat(id) else { continue };
            if fields[1].parse() == Ok(self.0) {
                sum += ticks(&fields, [11, 12]);
            }
        }
        Ok(sum)
    }

    /// Resident bytes now.
    pub fn memory(self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most resident bytes since [`Self::forget_peak`].
    pub fn peak_memory(self) -> Result<u64> {
        self.status("VmHWM:")
    }

    pub fn forget_peak(self) -> Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.0), "5")?)
    }

    fn status(self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("not in /proc/<pid>/status")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

/// The fields of `/proc/<pid>/stat` behind the program's name: state, parent, and so on.
fn stat(id: u32) -> Result<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    Ok(stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().map(str::to_owned).collect())
}

/// In hundredths of a second on every Linux that matters.
fn ticks(fields: &[String], which: [usize; 2]) -> Duration {
    let ticks: u64 = which.iter().filter_map(|index| fields[*index].parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// How busy the whole machine was while something ran, as cores in use.
pub struct Busy {
    began: Instant,
    spent: Duration,
}

impl Busy {
    pub fn begin() -> Result<Self> {
        Ok(Self { began: Instant::now(), spent: machine_time()? })
    }

    pub fn cores(&self) -> Result<f64> {
        Ok((machine_time()? - self.spent).as_secs_f64() / self.began.elapsed().as_secs_f64())
    }
}

fn machine_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let numbers: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().filter_map(|n| n.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq
    let busy: u64 = numbers.iter().enumerate().filter(|(index, _)| !matches!(index, 3 | 4 | 7..)).map(|(_, n)| n).sum();
    Ok(Duration::from_millis(busy * 10))
}

/// Processor, cores and memory, for the report.
pub fn description() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| info.lines().find(|line| line.starts_with(name)).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    format!("{cores} cores ({}), {} GiB of memory", field("model name").unwrap_or("unknown"), kilobytes / 1024 / 1024)
}
