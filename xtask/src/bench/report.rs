//! The table, for a terminal and as a page.

use std::fmt::Write;

use anyhow::Result;

use super::beside::Beside;
use super::figures::{Column, Figure, Figures, Target};
use super::samples::Samples;
use super::{files, load};
use crate::shell;

const HEAD: [&str; 7] = ["", "LXD", "ours, `lxc`", "ratio", "target", "ours, own client", "ratio"];

pub(super) struct Report {
    /// What was compared, and on what.
    facts: Vec<(&'static str, String)>,
    floor: Samples,
    figures: Figures,
    beside: Vec<Beside>,
}

impl Report {
    /// Looks at the machine before anything is measured.
    pub(super) fn new(program: &str, lxd: Option<&str>, floor: Samples) -> Result<Report> {
        let cpu = files::read("/proc/cpuinfo")?;
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cpus = cpu.lines().filter(|line| line.starts_with("processor")).count();
        let memory = files::read("/proc/meminfo")?;
        let kib = memory.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
        let os = files::read("/etc/os-release").unwrap_or_default();
        let os = os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let kernel = files::read("/proc/sys/kernel/osrelease")?.trim().to_owned();
        let facts = vec![
            ("date", shell::output("date", &["+%Y-%m-%d %H:%M"])?.trim().to_owned()),
            ("ours", commit() + ", " + program),
            ("LXD", lxd.unwrap_or("none here").to_owned() + ", Debian's package"),
            ("processors", format!("{cpus} x {}", model.map_or("?", |(_, model)| model))),
            ("memory", format!("{} GiB", kib.unwrap_or_default() / (1 << 20))),
            ("system", format!("{}, kernel {kernel}", os.unwrap_or("?").trim_matches('"'))),
            ("load at the start", format!("{:.1}", load()?)),
        ];
        Ok(Report { facts, floor, figures: Figures::default(), beside: Vec::new() })
    }

    pub(super) fn figures(&mut self) -> &mut Figures {
        &mut self.figures
    }

    pub(super) fn beside(&mut self, rows: Vec<Beside>) {
        self.beside = rows;
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        self.facts.push(("load at the end", format!("{:.1}", load()?)));
        Ok(())
    }

    fn rows(&self) -> Vec<[String; 7]> {
        let mut rows = vec![HEAD.map(str::to_owned)];
        let some = |figure: &Figure| self.figures.get(*figure, Column::Ours).is_some();
        rows.extend(
            Figure::ALL.iter().filter(|figure| some(figure)).map(|figure| self.row(*figure)),
        );
        let floor = cell(Some(&self.floor), "ms");
        let words = "the kernel's floor: namespaces, id maps, root, exec".to_owned();
        let mut last: [String; 7] = Default::default();
        (last[0], last[2]) = (words, floor);
        rows.push(last);
        rows
    }

    fn row(&self, figure: Figure) -> [String; 7] {
        let value = |column| cell(self.figures.get(figure, column), figure.unit());
        let ratio = |column| {
            let ratio = self.figures.ratio(figure, column);
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.1}"))
        };
        let target = match figure.target() {
            None => String::new(),
            Some(Target::Times(times)) => format!("{times:.0} times"),
            Some(Target::Below(most)) => format!("< {most:.0} {}", figure.unit()),
        };
        let reached = match self.figures.reached(figure) {
            None => "",
            Some(true) => ": yes",
            Some(false) => ": NO",
        };
        [
            figure.words().to_owned(),
            value(Column::Lxd),
            value(Column::Ours),
            ratio(Column::Ours),
            target + reached,
            value(Column::OwnClient),
            ratio(Column::OwnClient),
        ]
    }

    /// For a terminal.
    pub(super) fn terminal(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.facts {
            let _ = writeln!(text, "{name}: {value}");
        }
        text += &aligned(&self.rows());
        text.push('\n');
        text += &aligned(&self.plain_rows());
        text + "Median (least).\n"
    }

    /// As a page of the documentation.
    pub(super) fn page(&self, words: &str) -> String {
        let mut text = String::from(PAGE);
        for (name, value) in &self.facts {
            let _ = writeln!(text, "- {name}: {value}");
        }
        text.push('\n');
        for (index, row) in self.rows().iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if index == 0 {
                text.push_str("|---|--:|--:|--:|---|--:|--:|\n");
            }
        }
        text.push_str("\nBeside the plain way to do the same:\n\n");
        for (index, row) in self.plain_rows().iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if index == 0 {
                text.push_str("|---|--:|--:|--:|---|\n");
            }
        }
        text.push('\n');
        text + words
    }

    fn plain_rows(&self) -> Vec<[String; 5]> {
        let head = ["", "plain", "ours", "speed of it", "target"].map(str::to_owned);
        std::iter::once(head).chain(self.beside.iter().map(plain_row)).collect()
    }
}

fn plain_row(row: &Beside) -> [String; 5] {
    let share = row.share();
    let target = row.target.map(|least| {
        let reached = share.is_some_and(|share| share >= least);
        format!("{:.0} %: {}", least * 100.0, if reached { "yes" } else { "NO" })
    });
    [
        row.words.to_owned(),
        cell(Some(&row.plain), "ms"),
        cell(Some(&row.ours), "ms"),
        share.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0)),
        target.unwrap_or_default(),
    ]
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut text = String::new();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column).unwrap_or_default();
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

const PAGE: &str = "\
# Benchmarks

Written by `cargo xtask bench --write`, which runs our daemon and Debian's LXD 5.0.2 in one go, in turns, on the same images,
each in namespaces of its own; see the head of `xtask/src/bench/mod.rs`. Values are medians, in parentheses the least.
\"ratio\" is LXD's median by ours. Whether a target is reached is decided by the stock client on both sides (like for like); the
last two columns are our own client on our daemon.

";

fn cell(samples: Option<&Samples>, unit: &str) -> String {
    let Some((median, min)) = samples.and_then(|all| Some((all.median()?, all.min()?))) else {
        return String::new();
    };
    format!("{} ({}) {unit}", short(median), short(min))
}

/// Three digits that matter.
fn short(value: f64) -> String {
    let digits = if value >= 100.0 { 0 } else { 1 + usize::from(value < 10.0) };
    format!("{value:.digits$}")
}

fn commit() -> String {
    let text = shell::output("git", &["describe", "--always", "--dirty", "--abbrev=10"]);
    text.map_or_else(|_| String::from("unknown"), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_three_digits() {
        assert_eq!(
            ["1.234", "12.34", "123.4"].map(|v| short(v.parse().unwrap())),
            ["1.23", "12.3", "123"]
        );
        assert_eq!(cell(None, "ms"), "");
    }

    #[test]
    fn what_is_not_reached_is_said() {
        let mut figures = Figures::default();
        figures.of(Figure::Exec, Column::Lxd).add(50.0);
        figures.of(Figure::Exec, Column::Ours).add(25.0);
        let report =
            Report { facts: Vec::new(), floor: Samples::default(), figures, beside: Vec::new() };
        assert!(report.terminal().contains("2.0  5 times: NO"), "{}", report.terminal());
        assert!(report.page("").contains("| 2.0 | 5 times: NO |"));
    }
}
