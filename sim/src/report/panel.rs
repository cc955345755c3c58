//! One plot.
//!
//! Answers where lines, limits and labels go on a common time axis. Labels stand at the end of their lines instead of in a
//! legend, and are pushed apart where they would collide.

use crate::report::page::{clock, escape};
use crate::report::put;
use crate::scenario::RunReport;

/// Width of every plot, in its own units; the page scales it.
pub(crate) const WIDTH: f64 = 1120.0;
/// Room for the numbers on the left.
pub(crate) const LEFT: f64 = 64.0;
/// Room for the labels on the right.
pub(crate) const RIGHT: f64 = 128.0;

const HEIGHT: f64 = 190.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// The least distance between two labels at the end of lines.
const LABEL_HEIGHT: f64 = 14.0;

/// What all plots of a page share.
pub(crate) struct Frame {
    pub(crate) duration_s: f64,
    /// Spans of time in which something was wrong with the world.
    pub(crate) faults: Vec<(f64, f64)>,
    /// Instants at which something was changed.
    pub(crate) marks: Vec<f64>,
}

impl Frame {
    pub(crate) fn new(report: &RunReport) -> Frame {
        let mut marks: Vec<u64> =
            report.actions.iter().filter(|action| action.sent).map(|action| action.at_s).collect();
        marks.dedup();
        Frame {
            duration_s: report.scenario.duration_s as f64,
            faults: report.faults.iter().map(|fault| (fault.from_s as f64, fault.to_s as f64)).collect(),
            marks: marks.into_iter().map(|at| at as f64).collect(),
        }
    }

    /// The horizontal place of an instant.
    pub(crate) fn x(&self, at_s: f64) -> f64 {
        LEFT + at_s / self.duration_s * (WIDTH - LEFT - RIGHT)
    }

    /// Round instants for the axis.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        const STEPS: [f64; 12] =
            [5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0];
        let duration = self.duration_s;
        let step = STEPS.into_iter().find(|step| duration / step <= 10.0).unwrap_or(7.0 * 86_400.0);
        (0_u32..).map(move |tick| f64::from(tick) * step).take_while(move |at| *at <= duration)
    }

    /// Faults and changes, behind the lines of a plot.
    fn background(&self, page: &mut String, top: f64, bottom: f64) {
        for (from, to) in &self.faults {
            let (x, width) = (self.x(*from), self.x(*to) - self.x(*from));
            let height = bottom - top;
            put(
                page,
                format_args!(
                    "<rect class=\"band\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"/>"
                ),
            );
        }
        for at in &self.marks {
            let x = self.x(*at);
            put(page, format_args!("<path class=\"mark\" d=\"M{x:.1} {top}V{bottom}\"/>"));
        }
    }
}

/// One quantity over time.
pub(crate) struct Line {
    pub(crate) label: String,
    /// Which of the eight colours.
    pub(crate) colour: usize,
    /// Instants in seconds, and values.
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) path: Path,
}

/// How points are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Straight,
    /// For what stays the same until it changes.
    Steps,
}

/// A value that is not to be crossed.
pub(crate) struct Limit {
    pub(crate) label: String,
    pub(crate) value: f64,
}

/// One plot.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) about: String,
    pub(crate) unit: &'static str,
    pub(crate) lines: Vec<Line>,
    pub(crate) limits: Vec<Limit>,
    /// The axis reaches at least this far.
    pub(crate) top_min: f64,
}

impl Panel {
    pub(crate) fn draw(&self, page: &mut String, frame: &Frame) {
        let values = self.lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
        let limits = self.limits.iter().map(|limit| limit.value);
        let highest = values.chain(limits).fold(self.top_min, f64::max);
        let step = round_step(highest / 3.0);
        let top = (highest / step).ceil() * step;
        let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
        put(
            page,
            format_args!(
                "<section><h2>{}<small>{}</small></h2><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
                self.title,
                escape(&self.about),
                self.title
            ),
        );
        self.grid(page, frame, step, &y, top);
        frame.background(page, TOP, HEIGHT - BOTTOM);
        self.draw_limits(page, frame, &y);
        self.draw_lines(page, frame, &y);
        page.push_str("</svg></section>");
    }

    fn grid(&self, page: &mut String, frame: &Frame, step: f64, y: &dyn Fn(f64) -> f64, top: f64) {
        let right = WIDTH - RIGHT;
        for value in (0_u32..).map(|tick| f64::from(tick) * step).take_while(|value| *value <= top + step / 2.0) {
            let (line, text) = (y(value), y(value) + 4.0);
            put(page, format_args!("<path class=\"grid\" d=\"M{LEFT} {line:.1}H{right}\"/>"));
            put(
                page,
                format_args!(
                    "<text x=\"{}\" y=\"{text:.1}\" text-anchor=\"end\">{}{}</text>",
                    LEFT - 8.0,
                    number(value),
                    self.unit
                ),
            );
        }
        axis(page, frame, HEIGHT - BOTTOM, HEIGHT - 7.0);
    }

    fn draw_limits(&self, page: &mut String, frame: &Frame, y: &dyn Fn(f64) -> f64) {
        for limit in &self.limits {
            let at = y(limit.value);
            let (from, to) = (frame.x(0.0), frame.x(frame.duration_s));
            put(page, format_args!("<path class=\"limit\" d=\"M{from:.1} {at:.1}H{to:.1}\"/>"));
            put(
                page,
                format_args!(
                    "<text class=\"limit-label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    from + 6.0,
                    at - 4.0,
                    escape(&limit.label)
                ),
            );
        }
    }

    fn draw_lines(&self, page: &mut String, frame: &Frame, y: &dyn Fn(f64) -> f64) {
        for line in &self.lines {
            let mut path = String::with_capacity(line.points.len() * 12);
            for (index, (at, value)) in line.points.iter().enumerate() {
                let (x, y) = (frame.x(*at), y(*value));
                match (index, line.path) {
                    (0, _) => put(&mut path, format_args!("M{x:.1} {y:.1}")),
                    (_, Path::Straight) => put(&mut path, format_args!("L{x:.1} {y:.1}")),
                    (_, Path::Steps) => put(&mut path, format_args!("H{x:.1}V{y:.1}")),
                }
            }
            put(page, format_args!("<path class=\"line c{}\" d=\"{path}\"/>", line.colour % 8));
        }
        let ends = self.lines.iter().map(|line| line.points.last().map_or(0.0, |(_, value)| y(*value))).collect();
        for (line, (end, place)) in self.lines.iter().zip(spread(ends)) {
            let (from, to, colour) = (WIDTH - RIGHT + 2.0, WIDTH - RIGHT + 12.0, line.colour % 8);
            put(
                page,
                format_args!("<path class=\"leader c{colour}\" fill=\"none\" d=\"M{from} {end:.1}L{to} {place:.1}\"/>"),
            );
            put(
                page,
                format_args!(
                    "<text class=\"f{colour}\" x=\"{}\" y=\"{:.1}\">{}</text>",
                    to + 4.0,
                    place + 4.0,
                    escape(&line.label)
                ),
            );
        }
    }
}

/// The time axis.
pub(crate) fn axis(page: &mut String, frame: &Frame, line: f64, text: f64) {
    let right = WIDTH - RIGHT;
    put(page, format_args!("<path class=\"axis\" d=\"M{LEFT} {line}H{right}\"/>"));
    for at in frame.ticks() {
        let (x, label) = (frame.x(at), clock(at as u64));
        put(page, format_args!("<text x=\"{x:.1}\" y=\"{text}\" text-anchor=\"middle\">{label}</text>"));
    }
}

/// Moves labels apart; gives each its line's end and its own place.
fn spread(ends: Vec<f64>) -> Vec<(f64, f64)> {
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|a, b| ends[*a].total_cmp(&ends[*b]));
    let mut places = ends.clone();
    let mut next_free = TOP;
    for index in &order {
        places[*index] = ends[*index].max(next_free);
        next_free = places[*index] + LABEL_HEIGHT;
    }
    let mut last_free = HEIGHT - 8.0;
    for index in order.iter().rev() {
        places[*index] = places[*index].min(last_free);
        last_free = places[*index] - LABEL_HEIGHT;
    }
    ends.into_iter().zip(places).collect()
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let step = step.max(1e-6);
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 2.5, 5.0].into_iter().map(|factor| factor * power).find(|round| step <= *round).unwrap_or(10.0 * power)
}

fn number(value: f64) -> String {
    if 1e6 <= value {
        format!("{}M", value / 1e6)
    } else if 1e4 <= value {
        format!("{}k", value / 1e3)
    } else {
        format!("{}", (value * 1e4).round() / 1e4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: three lines end at the same height, one far away.
    /// Guarantees: no two labels overlap, and the far one stays where it is.
    #[test]
    fn labels_do_not_overlap() {
        let places: Vec<f64> = spread(vec![100.0, 100.0, 30.0, 100.0]).into_iter().map(|(_, place)| place).collect();
        assert_eq!(places[2], 30.0);
        let mut sorted = places;
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|pair| LABEL_HEIGHT <= pair[1] - pair[0] + 1e-9));
    }

    /// Scenario: axes for small, odd and large quantities.
    /// Guarantees: steps are numbers a person would choose.
    #[test]
    fn axes_have_round_steps() {
        let check = |step, expected: f64| assert!((round_step(step) - expected).abs() < 1e-9, "{step}");
        check(0.33, 0.5);
        check(1.0, 1.0);
        check(21.0, 25.0);
        check(700.0, 1000.0);
    }
}
