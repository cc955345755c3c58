//! The live screen.
//!
//! Answers how the story looks in a terminal: lines scroll away upwards into the terminal's own history, where they can be
//! read afterwards, and a panel below them is drawn anew every tick. The alternate screen is not used because everything
//! told would be gone at the end. The terminal is put back in order however the demo ends.

use std::io::{self, IsTerminal, Stdout};
use std::time::Duration;

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{disable_raw_mode, enable_raw_mode, size};
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Styled, Span};
use ratatui::widgets::{Block, Borders, Cell, Gauge, Paragraph, Row as TableRow, Table, Widget};
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::Wish;
use crate::demo::line::{Line, Room, Tone};
use crate::demo::panel::{Panel, Progress, ServiceRow, TITLES};

/// Rows of the panel: frame, titles, five services, incident, three trials, agent, gauge.
pub(super) const PANEL_ROWS: u16 = 14;

/// A terminal smaller than this gets plain lines: the panel would leave no room for the story.
const SMALLEST: (u16, u16) = (72, PANEL_ROWS + 6);

/// Keys read per tick; whoever types faster is read at the next one.
const KEYS_MAX: usize = 32;

/// The live screen.
pub(crate) struct LiveScreen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    paint: Paint,
    _raw: RawMode,
}

impl LiveScreen {
    /// The terminal, if standard output is one and it is large enough.
    pub(crate) fn open() -> Option<LiveScreen> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return None;
        }
        let (columns, rows) = size().ok()?;
        if columns < SMALLEST.0 || rows < SMALLEST.1 {
            return None;
        }
        let raw = RawMode::enter()?;
        let options = TerminalOptions { viewport: Viewport::Inline(PANEL_ROWS) };
        let terminal = Terminal::with_options(CrosstermBackend::new(io::stdout()), options).ok()?;
        Some(LiveScreen { terminal, paint: Paint::from_environment(), _raw: raw })
    }

    pub(crate) fn tell(&mut self, lines: &[Line]) -> io::Result<()> {
        tell(&mut self.terminal, self.paint, lines)
    }

    pub(crate) fn show(&mut self, panel: &Panel, progress: &Progress) -> io::Result<()> {
        let paint = self.paint;
        self.terminal.draw(|frame| draw(frame.area(), frame.buffer_mut(), paint, panel, progress))?;
        Ok(())
    }

    /// In raw mode Ctrl-C is a key like any other.
    pub(crate) fn wish(&mut self) -> Wish {
        for _ in 0..KEYS_MAX {
            if !event::poll(Duration::ZERO).unwrap_or(false) {
                return Wish::Watch;
            }
            let Ok(Event::Key(key)) = event::read() else { continue };
            let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if key.kind == KeyEventKind::Press && (is_interrupt || key.code == KeyCode::Char('q')) {
                return Wish::Leave;
            }
        }
        Wish::Watch
    }

    pub(crate) fn close(mut self) -> io::Result<()> {
        // What is printed next takes the panel's place.
        let top = self.terminal.get_frame().area().as_position();
        self.terminal.clear()?;
        self.terminal.set_cursor_position(top)?;
        self.terminal.show_cursor()
    }
}

/// Raw mode, left again when dropped and when the program panics.
struct RawMode;

impl RawMode {
    fn enter() -> Option<RawMode> {
        enable_raw_mode().ok()?;
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Best effort: the panic's own message matters more than the terminal.
            let _ = disable_raw_mode();
            before(panic);
        }));
        Some(RawMode)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing is left to be done about a terminal that refuses.
        let _ = disable_raw_mode();
    }
}

/// Whether colours are used; without them, only weight distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Colours,
    NoColours,
}

impl Paint {
    /// As <https://no-color.org> asks: any non-empty `NO_COLOR` means none.
    fn from_environment() -> Paint {
        match std::env::var_os("NO_COLOR") {
            Some(value) if !value.is_empty() => Paint::NoColours,
            _ => Paint::Colours,
        }
    }

    fn colour(self, colour: Color) -> Style {
        match self {
            Paint::Colours => Style::new().fg(colour),
            Paint::NoColours => Style::new(),
        }
    }

    fn room(self, room: Room) -> Style {
        let colour = match room {
            Room::World => Color::Magenta,
            Room::Perceived => Color::Cyan,
            Room::Assessed => Color::Yellow,
            Room::Decided => Color::Blue,
            Room::Withheld => Color::DarkGray,
            Room::Did => Color::Green,
            Room::Learned => Color::LightMagenta,
        };
        self.colour(colour).add_modifier(Modifier::BOLD)
    }

    fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Good => self.colour(Color::Green),
            Tone::Bad => self.colour(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }
}

/// Prints `lines` above the panel.
pub(super) fn tell<B: Backend>(terminal: &mut Terminal<B>, paint: Paint, lines: &[Line]) -> Result<(), B::Error> {
    let width = terminal.size()?.width;
    for line in lines {
        let rows = line.rows(usize::from(width));
        let styled: Vec<Styled<'_>> = rows
            .iter()
            .map(|row| {
                let text = if row.is_reason { paint.quiet() } else { paint.tone(line.tone) };
                Styled::from(vec![Span::styled(&row.left, paint.room(line.room)), Span::styled(&row.text, text)])
            })
            .collect();
        let height = u16::try_from(styled.len()).unwrap_or(u16::MAX);
        terminal.insert_before(height, |buffer| Paragraph::new(styled).render(buffer.area, buffer))?;
    }
    Ok(())
}

/// Draws the panel into `area`.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, paint: Paint, panel: &Panel, progress: &Progress) {
    let title = " homeostat demo · q or Ctrl-C to leave ";
    let frame = Block::new().borders(Borders::TOP).title(title).border_style(paint.quiet());
    let inner = frame.inner(area);
    frame.render(area, buffer);
    let services = u16::try_from(panel.services.len()).unwrap_or(u16::MAX).saturating_add(1);
    let notes = notes(paint, panel);
    let [table, below, gauge] =
        ratatui::layout::Layout::vertical([Constraint::Length(services), Constraint::Min(0), Constraint::Length(1)])
            .areas(inner);
    table_of(paint, &panel.services).render(table, buffer);
    Paragraph::new(notes).render(below, buffer);
    gauge_of(paint, progress).render(gauge, buffer);
}

fn table_of<'a>(paint: Paint, services: &'a [ServiceRow]) -> Table<'a> {
    let titles = TableRow::new(TITLES.map(Cell::from)).style(paint.quiet());
    let rows = services.iter().map(|service| {
        let [name, rest @ ..] = &service.cells;
        let name = Cell::from(name.as_str()).style(paint.tone(service.tone));
        let mut cells: Vec<Cell<'_>> = rest.iter().map(|text| Cell::from(text.as_str())).collect();
        cells[BUSY] = Cell::from(format!("{:>5}  {}", service.cells[BUSY + 1], bar(service)));
        if service.tone == Tone::Bad {
            cells[SLOW] = Cell::from(service.cells[SLOW + 1].as_str()).style(paint.tone(Tone::Bad));
        }
        TableRow::new(std::iter::once(name).chain(cells).collect::<Vec<_>>())
    });
    let widths = [10, 6, 8, 8, 8, 20, 8, 9].map(Constraint::Length);
    Table::new(rows, widths).header(titles).column_spacing(1)
}

/// Positions among the cells after the name.
const SLOW: usize = 2;
const BUSY: usize = 4;

/// Cells of the bar that shows how busy a service is.
const BAR: u32 = 10;

fn bar(service: &ServiceRow) -> String {
    let filled = service.busy.map_or(0, |busy| ((busy.0 * BAR + 5000) / 10_000).min(BAR));
    (0..BAR).map(|cell| if cell < filled { '█' } else { '░' }).collect()
}

fn notes<'a>(paint: Paint, panel: &'a Panel) -> Vec<Styled<'a>> {
    let note = |name: &'static str, style: Style, text: &'a str, tone: Tone| {
        Styled::from(vec![Span::styled(format!("{name:<10} "), style), Span::styled(text, paint.tone(tone))])
    };
    let mut notes = vec![match &panel.incident {
        Some(incident) => note("incident", paint.room(Room::Assessed), incident, Tone::Bad),
        None => note("incident", paint.quiet(), "none", Tone::Plain),
    }];
    let trials = panel.trials.iter().map(|trial| note("under way", paint.room(Room::Did), trial, Tone::Plain));
    notes.extend(trials);
    notes.push(note("agent", paint.quiet(), &panel.agent, Tone::Plain));
    notes
}

fn gauge_of(paint: Paint, progress: &Progress) -> Gauge<'static> {
    let share = progress.elapsed.0 as f64 / progress.total.0.max(1) as f64;
    let label = format!("{}: {} s of at most {} s", progress.phase, progress.elapsed.0 / 1000, progress.total.0 / 1000);
    Gauge::default().ratio(share.clamp(0.0, 1.0)).label(label).gauge_style(paint.colour(Color::Blue))
}
