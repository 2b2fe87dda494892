//! Largest resident memory of this process, as Linux counts it.

use crate::error::{Result, failed};

/// Forgets the peak so far, where the system lets a process do so.
pub(crate) fn forget_peak() {
    // 5 sets the peak back to what is resident now; without the right the peak is that of the whole process, which is higher.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The peak since it was last forgotten, in MiB.
pub(crate) fn peak_mib() -> Result<f64> {
    let read = std::fs::read_to_string("/proc/self/status");
    let status = read.map_err(failed("reading the memory of this process"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib = kib.and_then(|kib| kib.trim().parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| {
        failed("reading the memory of this process")("the system does not say VmHWM")
    })
}
