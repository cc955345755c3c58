//! The plain screen.
//!
//! Answers what a pipe or a log gets: every line of the story as it happens and, every ten seconds, the panel as a table.

use std::io::{self, Write};

use homeostat_core::Millis;

use crate::demo::line::Line;
use crate::demo::panel::{Panel, Progress, TITLES};

/// Between two tables: often enough to follow, seldom enough to read.
const TABLE_EVERY: Millis = Millis::from_secs(10);

/// How wide plain lines are.
const WIDTH: usize = 120;

/// The plain screen.
#[derive(Default)]
pub(crate) struct PlainScreen {
    table_next: Option<Millis>,
}

impl PlainScreen {
    pub(crate) fn tell(&mut self, lines: &[Line]) -> io::Result<()> {
        print(&lines.iter().flat_map(told).collect::<Vec<_>>())
    }

    pub(crate) fn show(&mut self, panel: &Panel, progress: &Progress) -> io::Result<()> {
        let next = *self.table_next.get_or_insert(TABLE_EVERY);
        if progress.elapsed < next || panel.services.is_empty() {
            return Ok(());
        }
        self.table_next = Some(Millis(next.0 + TABLE_EVERY.0));
        print(&table(panel, progress))
    }
}

/// Prints `rows` to standard output.
pub(super) fn print(rows: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for row in rows {
        writeln!(out, "{row}")?;
    }
    out.flush()
}

/// A line of the story, as plain rows.
pub(super) fn told(line: &Line) -> Vec<String> {
    line.rows(WIDTH).into_iter().map(|row| format!("{}{}", row.left, row.text)).collect()
}

/// The panel, as plain rows.
pub(super) fn table(panel: &Panel, progress: &Progress) -> Vec<String> {
    let row = |cells: [&str; 8]| {
        let [service, rest @ ..] = cells;
        let rest: Vec<String> = rest.iter().map(|cell| format!("{cell:>9}")).collect();
        format!("  {service:<12}{}", rest.join(""))
    };
    let mut rows = vec![String::new(), row(TITLES)];
    rows.extend(panel.services.iter().map(|service| row(service.cells.each_ref().map(String::as_str))));
    rows.extend(panel.incident.iter().map(|incident| format!("  incident: {incident}")));
    rows.extend(panel.trials.iter().map(|trial| format!("  under way: {trial}")));
    rows.push(format!("  agent: {}", panel.agent));
    rows.push(format!(
        "  {}, {} s of at most {} s",
        progress.phase,
        progress.elapsed.0 / 1000,
        progress.total.0 / 1000
    ));
    rows.push(String::new());
    rows
}
