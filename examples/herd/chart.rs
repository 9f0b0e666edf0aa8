//! A chart of figures over time: one panel per series, in light and dark colours.

use crate::svg::Svg;
use std::fmt::Write;

pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) footnote: &'a str,
    /// The length of the time axis.
    pub(crate) seconds: usize,
}

pub(crate) struct Panel {
    pub(crate) name: String,
    /// One value per second.
    pub(crate) values: Vec<f64>,
    pub(crate) scale: Scale,
    /// A horizontal line at this value.
    pub(crate) line: Option<f64>,
    /// A mark at this second, with a text.
    pub(crate) mark: Option<(f64, String)>,
}

/// The axis of the values.
pub(crate) struct Scale {
    /// The lowest value of a logarithmic axis, which hides those below it. `None` is a linear axis
    /// from zero.
    pub(crate) log_from: Option<f64>,
    pub(crate) top: f64,
}

const WIDTH: f64 = 900.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 56.0;
const PANEL: f64 = 84.0;
const HEAD: f64 = 26.0;
const BOTTOM: f64 = 48.0;

const STYLE: &str = "\
    .ground { fill: #ffffff } text { fill: #1f2328; font: 11px system-ui, sans-serif }
    .title { font-size: 16px; font-weight: 600 } .name { font-weight: 600; font-size: 12px }
    .note { fill: #59636e } .tick { fill: #59636e; text-anchor: end } .time { fill: #59636e; text-anchor: middle }
    .grid { stroke: #d1d9e0 } .line { stroke: #bc4c00; stroke-dasharray: 4 3 } .mark { stroke: #1f2328 }
    .values { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117 } text { fill: #f0f6fc } .note, .tick, .time { fill: #9198a1 }
      .grid { stroke: #3d444d } .line { stroke: #db6d28 } .mark { stroke: #f0f6fc }
      .values { fill: #1f6feb }
    }";

impl Scale {
    /// Returns the height of a value, from 0 to 1.
    fn height(&self, value: f64) -> f64 {
        let height = match self.log_from {
            None => value / self.top,
            Some(bottom) => (value.max(bottom) / bottom).log10() / (self.top / bottom).log10(),
        };
        height.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.log_from {
            None => vec![0.0, self.top / 2.0, self.top],
            Some(bottom) => {
                let powers = (self.top / bottom).log10().round() as i32;
                (0..=powers).map(|power| bottom * 10_f64.powi(power)).collect()
            }
        }
    }
}

impl Chart<'_> {
    pub(crate) fn svg(&self, panels: &[Panel]) -> String {
        let height = TOP + panels.len() as f64 * (HEAD + PANEL) + BOTTOM;
        let mut svg = Svg::new(WIDTH, height, self.title, STYLE);
        svg.text(20.0, 32.0, "title", self.title);
        for (index, panel) in panels.iter().enumerate() {
            let top = TOP + index as f64 * (HEAD + PANEL) + HEAD;
            self.panel(&mut svg, panel, top);
        }
        let base = height - BOTTOM;
        for tick in 0..=6 {
            let seconds = self.seconds as f64 * f64::from(tick) / 6.0;
            svg.text(self.x(seconds), base + 15.0, "time", &format!("{seconds:.0} s"));
        }
        svg.text(20.0, height - 12.0, "note", self.footnote);
        svg.finish()
    }

    fn panel(&self, svg: &mut Svg, panel: &Panel, top: f64) {
        let base = top + PANEL;
        let y = |value: f64| base - panel.scale.height(value) * PANEL;
        svg.text(LEFT, top - 6.0, "name", &panel.name);
        for tick in panel.scale.ticks() {
            rule(svg, "grid", LEFT, y(tick), WIDTH - RIGHT, y(tick));
            svg.text(LEFT - 6.0, y(tick) + 4.0, "tick", &short(tick));
        }
        let mut area = format!("M{LEFT:.1} {base:.1}");
        for (second, value) in panel.values.iter().enumerate().take(self.seconds) {
            // Writing to a string cannot fail.
            let _ = write!(area, "V{:.1}H{:.1}", y(*value), self.x(second as f64 + 1.0));
        }
        svg.line(&format!("<path class=\"values\" d=\"{area}V{base:.1}Z\"/>"));
        if let Some(line) = panel.line {
            rule(svg, "line", LEFT, y(line), WIDTH - RIGHT, y(line));
        }
        if let Some((second, words)) = &panel.mark {
            let x = self.x(*second);
            rule(svg, "mark", x, top, x, base);
            svg.text(x + 5.0, top + 10.0, "", words);
        }
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + (second / self.seconds as f64).min(1.0) * (WIDTH - LEFT - RIGHT)
    }
}

fn rule(svg: &mut Svg, class: &str, x1: f64, y1: f64, x2: f64, y2: f64) {
    svg.line(&format!(
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    ));
}

/// Formats a number: 1000000 is `1M`.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", value / 1e6),
        1e3.. => format!("{}k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_panel_has_its_values_its_line_and_its_mark() {
        let panel = |scale| Panel {
            name: "a < b".into(),
            values: vec![1.0, 1000.0, 0.0],
            scale,
            line: Some(10.0),
            mark: Some((1.5, "here".into())),
        };
        let chart = Chart { title: "A & B", footnote: "", seconds: 3 };
        let svg = chart.svg(&[
            panel(Scale { log_from: None, top: 1000.0 }),
            panel(Scale { log_from: Some(10.0), top: 1e6 }),
        ]);
        for (part, times) in [("class=\"values\"", 2), ("class=\"line\"", 2), (">here<", 2)] {
            assert_eq!(svg.matches(part).count(), times, "{part}");
        }
        assert_eq!(svg.matches("a &lt; b").count(), 2);
        assert!(svg.contains("A &amp; B") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn values_stand_as_high_as_the_scale_says() {
        let linear = Scale { log_from: None, top: 4.0 };
        assert_eq!([0.0, 1.0, 4.0, 9.0].map(|value| linear.height(value)), [0.0, 0.25, 1.0, 1.0]);
        let log = Scale { log_from: Some(10.0), top: 1000.0 };
        let heights = [0.0, 10.0, 100.0, 1e9].map(|value| log.height(value));
        assert_eq!(heights, [0.0, 0.0, 0.5, 1.0]);
    }
}
