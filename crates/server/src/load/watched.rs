//! What a process and a folder grow to while a load runs: resident memory, processor time, bytes on the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The kernel tells times in hundredths of a second.
const TICK_MS: u64 = 10;

/// Looks that are kept; beyond, every other one is dropped, so that a long load has its whole time covered.
const LOOKS_MAX: usize = 4096;

/// The part of the looks that the slope leaves out: caches fill up first.
const WARM_UP_PART: usize = 3;

/// One look.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Duration,
    resident_kib: u64,
    folder_bytes: Option<u64>,
}

/// Looks at a process again and again.
#[derive(Debug)]
pub(super) struct Watched {
    pid: u32,
    folder: Option<PathBuf>,
    begun: Instant,
    cpu_ms_before: u64,
    looks: Vec<Look>,
    /// Every how many looks one is kept.
    every: usize,
    seen: usize,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Growth {
    /// The process.
    pub pid: u32,
    /// Processor time that it used, in milliseconds.
    pub cpu_ms: u64,
    /// Real time that it was watched.
    pub watched: Duration,
    /// Resident memory at the first look, the last and at most, in KiB.
    pub resident_kib: (u64, u64, u64),
    /// The slope of a straight line through the looks after the first third, in KiB per minute.
    pub slope_kib_per_min: f64,
    /// Bytes in the folder at the first look, the last and at most.
    pub folder_bytes: Option<(u64, u64, u64)>,
}

impl Watched {
    /// Begins to watch.
    ///
    /// # Errors
    /// There is no such process, or this is no Linux.
    pub(super) fn start(pid: u32, folder: Option<PathBuf>) -> anyhow::Result<Self> {
        let mut watched = Self {
            pid,
            folder,
            begun: Instant::now(),
            cpu_ms_before: cpu_ms(pid)?,
            looks: Vec::new(),
            every: 1,
            seen: 0,
        };
        watched.look()?;
        Ok(watched)
    }

    /// Looks once more; gives the resident memory in KiB.
    pub(super) fn look(&mut self) -> anyhow::Result<u64> {
        let resident_kib = resident_kib(self.pid)?;
        let is_kept = self.seen.is_multiple_of(self.every);
        self.seen += 1;
        if is_kept {
            let folder_bytes = self.folder.as_deref().map(bytes_in);
            self.looks.push(Look { at: self.begun.elapsed(), resident_kib, folder_bytes });
        }
        if self.looks.len() >= LOOKS_MAX {
            let mut number = 0;
            self.looks.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
        Ok(resident_kib)
    }

    pub(super) fn growth(&self) -> anyhow::Result<Growth> {
        let span = |of: fn(&Look) -> Option<u64>| {
            let all: Vec<u64> = self.looks.iter().filter_map(of).collect();
            Some((*all.first()?, *all.last()?, all.iter().copied().max()?))
        };
        let settled = self.looks.get(self.looks.len() / WARM_UP_PART..).unwrap_or_default();
        let points: Vec<(f64, f64)> = settled.iter().map(point).collect();
        Ok(Growth {
            pid: self.pid,
            cpu_ms: cpu_ms(self.pid)?.saturating_sub(self.cpu_ms_before),
            watched: self.begun.elapsed(),
            resident_kib: span(|look| Some(look.resident_kib)).unwrap_or_default(),
            slope_kib_per_min: slope(&points),
            folder_bytes: span(|look| look.folder_bytes),
        })
    }
}

impl Growth {
    /// Processors that it used on average.
    #[must_use]
    pub fn processors(&self) -> f64 {
        let used = Duration::from_millis(self.cpu_ms).as_secs_f64();
        used / self.watched.as_secs_f64().max(f64::EPSILON)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let ((first, last, most), folder) = (self.resident_kib, self.folder_bytes);
        json!({
            "pid": self.pid,
            "cpu_ms": self.cpu_ms,
            "processors": self.processors(),
            "resident_kib": { "first": first, "last": last, "max": most },
            "resident_slope_kib_per_min": self.slope_kib_per_min,
            "folder_bytes": folder.map(|(first, last, most)| json!({ "first": first, "last": last, "max": most })),
        })
    }

    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let (first, last, most) = self.resident_kib;
        let mut lines = vec![
            format!("process {}       {:.2} processors", self.pid, self.processors()),
            format!(
                "resident memory    {first} KiB at first, {last} at last, {most} at most; {:+.0} KiB per minute after the \
                 first third",
                self.slope_kib_per_min
            ),
        ];
        if let Some((first, last, most)) = self.folder_bytes {
            lines.push(format!("folder             {first} bytes at first, {last} at last, {most} at most"));
        }
        lines
    }
}

/// Minutes and KiB.
fn point(look: &Look) -> (f64, f64) {
    let kib = u32::try_from(look.resident_kib).unwrap_or(u32::MAX);
    (look.at.as_secs_f64() / 60.0, f64::from(kib))
}

/// The slope of the line that fits best, by least squares; 0 for less than two points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let mean = |of: fn(&(f64, f64)) -> f64| {
        let count = u32::try_from(points.len()).unwrap_or(u32::MAX).max(1);
        points.iter().map(of).sum::<f64>() / f64::from(count)
    };
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let covered: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let spread: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    if spread > 0.0 { covered / spread } else { 0.0 }
}

fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| gone(pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    number.with_context(|| gone(pid))
}

/// Processor time of all its threads.
fn cpu_ms(pid: u32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| gone(pid))?;
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')').with_context(|| gone(pid))?;
    let used = fields.split_whitespace().skip(11).take(2);
    Ok(TICK_MS * used.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
}

fn gone(pid: u32) -> String {
    format!("--watch-pid: there is no process {pid} to be read under /proc")
}

/// Bytes of all files below a folder; files that go away meanwhile count as none.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(known) if known.is_dir() => bytes_in(&entry.path()),
        Ok(known) if known.is_file() => known.len(),
        _ => 0,
    };
    entries.filter_map(Result::ok).map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_line() {
        let points: Vec<(f64, f64)> = (0..10).map(|n| (f64::from(n), 7.0 + 3.0 * f64::from(n))).collect();
        assert!((slope(&points) - 3.0).abs() < 1e-9);
        assert!(slope(&[(1.0, 5.0)]).abs() < 1e-9 && slope(&[]).abs() < 1e-9);
    }

    #[tokio::test]
    async fn a_process_and_a_folder_are_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deeper")).unwrap();
        fs::write(folder.path().join("deeper/file"), [0; 1000]).unwrap();
        let mut watched = Watched::start(std::process::id(), Some(folder.path().to_owned())).unwrap();
        fs::write(folder.path().join("other"), [0; 500]).unwrap();
        watched.look().unwrap();
        let growth = watched.growth().unwrap();
        assert_eq!(growth.folder_bytes, Some((1000, 1500, 1500)));
        assert!(growth.resident_kib.2 > 1000, "{growth:?}");
        assert!(Watched::start(u32::MAX, None).unwrap_err().to_string().contains("--watch-pid"));
    }

    #[tokio::test]
    async fn a_long_watch_keeps_bounded_looks_over_its_whole_time() {
        let mut watched = Watched::start(std::process::id(), None).unwrap();
        let first = watched.looks[0];
        watched.looks = vec![first; LOOKS_MAX - 1];
        for _ in 0..10 {
            watched.look().unwrap();
        }
        assert!(watched.looks.len() < LOOKS_MAX / 2 + 10, "{}", watched.looks.len());
        assert_eq!(watched.every, 2);
    }
}
