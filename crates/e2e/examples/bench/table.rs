//! What was measured, for people.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::measure::Measures;

/// Between these lines the README shows the table.
const BEGIN: &str = "<!-- bench: written by `make bench` -->\n";
const END: &str = "<!-- /bench -->\n";

/// One way's figures.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    name: String,
    mib_per_second: f64,
    device_cpu: f64,
    server_cpu: f64,
    echo: (f64, f64),
    under_flood: (f64, f64),
}

/// Medians over the rounds; of echoes, median and 99th percentile of all in milliseconds.
pub(crate) fn row(name: &str, of: &Measures) -> Row {
    Row {
        name: name.to_owned(),
        mib_per_second: median(&of.throughput) / f64::from(1 << 20),
        device_cpu: median(&of.device_cpu),
        server_cpu: median(&of.server_cpu),
        echo: percentiles(&of.echo),
        under_flood: percentiles(&of.echo_under_flood),
    }
}

fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    sorted
        .get((last * share).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    at(&values, 0.5)
}

fn percentiles(times: &[Duration]) -> (f64, f64) {
    let mut times: Vec<f64> = times
        .iter()
        .map(|time| time.as_secs_f64() * 1000.0)
        .collect();
    times.sort_by(f64::total_cmp);
    (at(&times, 0.5), at(&times, 0.99))
}

fn find<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.name.starts_with(name))
}

/// A Markdown table. In parentheses: throughput as a part of the raw pty's, times as multiples of
/// OpenSSH's.
pub(crate) fn text(rows: &[Row]) -> String {
    let raw = find(rows, "raw pty").map_or(f64::NAN, |row| row.mib_per_second);
    let ssh = find(rows, "OpenSSH");
    let (echo, under) = ssh.map_or(((f64::NAN, f64::NAN), (f64::NAN, f64::NAN)), |row| {
        (row.echo, row.under_flood)
    });
    let mut text = String::from(
        "| | MiB/s (of the raw pty) | CPU s per GiB: device, server | echo ms p50, p99 (× OpenSSH) | \
         the same under a flood |\n|---|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let cpu = |cpu: f64| {
            if cpu == 0.0 {
                "–".to_owned()
            } else {
                format!("{cpu:.1}")
            }
        };
        let times = |is: (f64, f64), of: (f64, f64)| {
            format!(
                "{:.2}, {:.2} ({:.1}, {:.1})",
                is.0,
                is.1,
                is.0 / of.0,
                is.1 / of.1
            )
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {:.0} ({:.2}) | {}, {} | {} | {} |",
            row.name,
            row.mib_per_second,
            row.mib_per_second / raw,
            cpu(row.device_cpu),
            cpu(row.server_cpu),
            times(row.echo, echo),
            times(row.under_flood, under),
        );
    }
    text
}

/// What is aimed at, and whether it was met in this run.
pub(crate) fn aims(rows: &[Row]) -> Vec<String> {
    let (Some(raw), Some(ssh), Some(alone), Some(whole)) = (
        find(rows, "raw pty"),
        find(rows, "OpenSSH"),
        find(rows, "longwire-agent alone"),
        find(rows, "longwire-agent, server"),
    ) else {
        return Vec::new();
    };
    let aim = |what: &str, is: f64, least: bool, bound: f64| {
        let met = if least { is >= bound } else { is <= bound };
        let (word, than) = (
            if met { "met" } else { "MISSED" },
            if least { "at least" } else { "at most" },
        );
        format!("{word}: {what}: {is:.2}, aimed at {than} {bound:.2}")
    };
    vec![
        aim(
            "agent alone, throughput as a part of the raw pty's",
            alone.mib_per_second / raw.mib_per_second,
            true,
            0.9,
        ),
        aim("agent alone, CPU s per GiB", alone.device_cpu, false, 4.0),
        aim(
            "whole path, throughput in OpenSSH's",
            whole.mib_per_second / ssh.mib_per_second,
            true,
            1.0,
        ),
        aim(
            "whole path, echo p50 in OpenSSH's",
            whole.echo.0 / ssh.echo.0,
            false,
            1.5,
        ),
        aim(
            "whole path, echo p99 under a flood in OpenSSH's",
            whole.under_flood.1 / ssh.under_flood.1,
            false,
            1.5,
        ),
    ]
}

/// Puts the table into a text, in the place of the one before.
pub(crate) fn write_into(file: &Path, table: &str) -> Result<()> {
    let text = fs::read_to_string(file)?;
    let (before, rest) = text.split_once(BEGIN).context("the place for the table")?;
    let (_, after) = rest
        .split_once(END)
        .context("the end of the table's place")?;
    Ok(fs::write(
        file,
        format!("{before}{BEGIN}\n{table}\n{END}{after}"),
    )?)
}
