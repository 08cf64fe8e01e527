//! Tables that look like those of `lxc`.

use std::fmt::Write;

/// Spaces between the columns of a compact table.
const GAP: &str = "  ";

/// A head and rows; a cell may have several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row; it must have as many cells as the head.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let cells: Vec<_> = cells.into_iter().map(Into::into).collect();
        debug_assert_eq!(cells.len(), self.head.len());
        self.rows.push(cells);
    }

    /// A box, with a line between rows.
    pub(crate) fn boxed(&self) -> String {
        let widths = self.widths();
        let dashes = widths.iter().map(|width| "-".repeat(width + 2));
        let rule = format!("+{}+\n", dashes.collect::<Vec<_>>().join("+"));
        let head = self.head.iter().zip(&widths).map(|(cell, width)| format!(" {cell:^width$} "));
        let mut text = format!("{rule}|{}|\n{rule}", head.collect::<Vec<_>>().join("|"));
        for row in &self.rows {
            for line in lines(row) {
                let cells =
                    line.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} "));
                let _ = writeln!(text, "|{}|", cells.collect::<Vec<_>>().join("|"));
            }
            text.push_str(&rule);
        }
        text
    }

    /// Columns parted by spaces.
    pub(crate) fn compact(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for row in std::iter::once(&self.head).chain(&self.rows) {
            for line in lines(row) {
                let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
                let line = cells.collect::<Vec<_>>().join(GAP);
                let _ = writeln!(text, "{}", line.trim_end());
            }
        }
        text
    }

    /// Comma-separated values (RFC 4180), without the head, as `lxc` prints them.
    pub(crate) fn csv(&self) -> String {
        let line = |row: &Vec<String>| {
            row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n"
        };
        self.rows.iter().map(line).collect()
    }

    /// Width of each column, in characters.
    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.head.len()];
        for row in std::iter::once(&self.head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                let longest = cell.lines().map(|line| line.chars().count()).max();
                *width = (*width).max(longest.unwrap_or(0));
            }
        }
        widths
    }
}

/// A row as lines of the same number of cells; at least one.
fn lines(row: &[String]) -> Vec<Vec<&str>> {
    let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
    (0..height)
        .map(|at| row.iter().map(|cell| cell.lines().nth(at).unwrap_or("")).collect())
        .collect()
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Table {
        let mut table = Table::new(["NAME", "STATE", "IPV4"]);
        table.row(["web", "RUNNING", "10.0.0.2 (eth0)\n172.17.0.1 (docker0)"]);
        table.row(["a-long-name", "STOPPED", ""]);
        table
    }

    #[test]
    fn a_box_as_of_lxc() {
        let want = "\
+-------------+---------+----------------------+
|    NAME     |  STATE  |         IPV4         |
+-------------+---------+----------------------+
| web         | RUNNING | 10.0.0.2 (eth0)      |
|             |         | 172.17.0.1 (docker0) |
+-------------+---------+----------------------+
| a-long-name | STOPPED |                      |
+-------------+---------+----------------------+
";
        assert_eq!(example().boxed(), want);
    }

    #[test]
    fn an_empty_table_has_its_head() {
        assert_eq!(Table::new(["NAME"]).boxed(), "+------+\n| NAME |\n+------+\n");
    }

    #[test]
    fn compact_has_no_lines() {
        let want = "\
NAME         STATE    IPV4
web          RUNNING  10.0.0.2 (eth0)
                      172.17.0.1 (docker0)
a-long-name  STOPPED
";
        assert_eq!(example().compact(), want);
    }

    #[test]
    fn csv_quotes_what_it_must() {
        let want = "web,RUNNING,\"10.0.0.2 (eth0)\n172.17.0.1 (docker0)\"\na-long-name,STOPPED,\n";
        assert_eq!(example().csv(), want);
    }
}
