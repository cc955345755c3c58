//! Tests of both screens, on canned records.

use homeostat_core::Millis;
use ratatui::backend::TestBackend;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::live::{PANEL_ROWS, Paint, draw, tell};
use super::plain::{table, told};
use crate::demo::panel::{Progress, panel};
use crate::demo::story::tests::{canned, story_of};

fn progress() -> Progress {
    Progress { phase: "the fault works", elapsed: Millis(12_000), total: Millis(120_000) }
}

fn screen(terminal: &Terminal<TestBackend>) -> String {
    let buffer = terminal.backend().buffer();
    let rows = (0..buffer.area.height).map(|y| {
        let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        row.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Scenario: three canned ticks in a terminal of 90 by 30, without colours.
/// Guarantees: the story stands above the panel; the panel shows the services, the suspected cause, what is under way and how
/// far the demo is, and no text runs into another.
#[test]
fn the_panel_stands_below_the_story() {
    let options = TerminalOptions { viewport: Viewport::Inline(PANEL_ROWS) };
    let mut terminal = Terminal::with_options(TestBackend::new(90, 30), options).unwrap();
    let (story, lines) = story_of(canned().into_iter().take(3).collect());
    tell(&mut terminal, Paint::NoColours, &lines).unwrap();
    let shown = panel(&story);
    terminal.draw(|frame| draw(frame.area(), frame.buffer_mut(), Paint::NoColours, &shown, &progress())).unwrap();
    let screen = screen(&terminal);
    let expected = [
        "    1.0 s  decided    a-7 run pay with 4 workers instead of 2",
        "                      utilization 99 % against a target of 60 %",
        "service    req/s  failed   slow     p99      busy                 workers  kept",
        "pay        20     0.0 %    42.0 %   1.2 s     99 %  ██████████    2        41 %",
        "incident   i-1 latency burn, for 1 s; suspected cause: pay, capacity used up (90 % sure)",
        "under way  a-7 run pay with 4 workers instead of 2: settling, judged in 20 s",
        "under way  a-8 to a-9 sampling of 2 services: settling, judged in 12 s",
        "the fault works: 12 s of at most 120 s",
    ];
    let mut from = 0;
    for row in expected {
        let at = screen[from..].find(row);
        assert!(at.is_some(), "{row}\n{screen}");
        from += at.unwrap_or_default();
    }
}

/// Scenario: the same ticks where standard output is not a terminal.
/// Guarantees: the same sentences and the same cells, as plain text without escape sequences.
#[test]
fn a_pipe_gets_the_same_story() {
    let (story, lines) = story_of(canned().into_iter().take(3).collect());
    let rows: Vec<String> = lines.iter().flat_map(told).chain(table(&panel(&story), &progress())).collect();
    let text = rows.join("\n");
    assert!(text.contains("    1.0 s  decided    a-7 run pay with 4 workers instead of 2\n"), "{text}");
    assert!(text.contains("  pay                20    0.0 %   42.0 %    1.2 s     99 %        2     41 %\n"), "{text}");
    assert!(
        text.contains("  agent: engaged; spans: 300/s received, 120/s kept, budget 2000/s; 0 actions judged"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
}
