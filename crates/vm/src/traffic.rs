//! What went to and from a machine's disks, as QEMU counts it.

use serde_json::Value;
use spec::DiskTraffic;

use crate::{Call, Qmp, Result, hardware};

/// Of each disk that the machine has.
///
/// # Errors
/// QEMU does not say.
pub async fn disk_traffic(qmp: &Qmp) -> Result<Vec<DiskTraffic>> {
    let told = qmp.call(Call::new("query-blockstats")).await?;
    Ok(told.as_array().into_iter().flatten().filter_map(of).collect())
}

fn of(told: &Value) -> Option<DiskTraffic> {
    let device = hardware::disk_of(told["node-name"].as_str()?)?.to_owned();
    let count = |name: &str| told["stats"][name].as_u64().unwrap_or(0);
    Some(DiskTraffic {
        device,
        read_bytes: count("rd_bytes"),
        reads: count("rd_operations"),
        written_bytes: count("wr_bytes"),
        writes: count("wr_operations"),
    })
}
