//! Draws a run of the example `tail` as an animated SVG: docs/tail.svg.
//!
//! ```sh
//! cargo build --example tail && cargo run --example tail_svg -- docs/tail.svg
//! ```
//!
//! It runs `tail`, records the time of each line of its output, and replays these lines in the
//! picture. Above them, a line between the server and the client shows each event, the loss of the
//! connection, the delay and the resume. Without an argument, the SVG goes to standard output.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

/// The factor by which the picture is slower than the run, so that a reader can follow it.
const SLOWER: f64 = 2.5;
/// Seconds before the first line, and seconds for which the last picture stays.
const LEAD_IN: f64 = 0.8;
const STAY: f64 = 4.5;
/// Seconds that an event takes from the server to the client.
const FLIGHT: f64 = 0.22;

// Sizes in pixels.
const WIDTH: f64 = 860.0;
const LINE: f64 = 19.0;
const CHAR: f64 = 7.83; // the width of a character of 13 px in most monospaced fonts
const LEFT: f64 = 24.0;
const SCENE: f64 = 150.0; // the height of all above the lines
const WIRE: f64 = 84.0;
const WIRE_START: f64 = 132.0;
const WIRE_END: f64 = 470.0;

const STYLE: &str = "
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; \
fill: #c9d1d9; white-space: pre }
.dim { fill: #8b949e } .id { fill: #58a6ff } .good { fill: #3fb950 } .bad { fill: #f85149 } \
.wait { fill: #d29922 } .bold { font-weight: 700 } .mid { text-anchor: middle }
.box { fill: #161b22; stroke: #484f58; stroke-width: 1.5 }
.slot { fill: #21262d; stroke: #30363d } .got { fill: #238636; stroke: #3fb950 }
.ok { stroke: #3fb950; stroke-width: 3 } .cut { stroke: #f85149; stroke-width: 3; stroke-dasharray: 7 7 }
@media (prefers-reduced-motion) { * { animation: none !important } .moves { opacity: 0 } }
";

/// A line of output, and its time in seconds after the first line.
struct Line {
    at: f64,
    text: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let lines = record()?;
    let svg = Picture::new(&lines)?.draw(&lines);
    match env::args().nth(1) {
        Some(file) => {
            fs::write(&file, &svg)?;
            println!("a run of {} lines is drawn", lines.len());
        }
        None => print!("{svg}"),
    }
    Ok(())
}

/// Runs `tail`, which cargo builds into the folder of this example.
fn record() -> Result<Vec<Line>, Box<dyn Error>> {
    let tail = env::current_exe()?.with_file_name(format!("tail{}", env::consts::EXE_SUFFIX));
    let mut child = Command::new(&tail)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}; build it first", tail.display()))?;
    let output = child.stdout.take().ok_or("the output of tail is not piped")?;
    let mut start = None;
    let mut lines = Vec::new();
    for text in BufReader::new(output).lines() {
        let start = *start.get_or_insert_with(Instant::now);
        lines.push(Line { at: start.elapsed().as_secs_f64(), text: text? });
    }
    match child.wait()? {
        status if status.success() => Ok(lines),
        status => Err(format!("tail ended with {status}").into()),
    }
}

/// The picture so far, and the moments of the run, in seconds of the picture.
struct Picture {
    svg: String,
    animations: usize,
    length: f64,
    opened: f64,
    lost: f64,
    resumed: f64,
    events: Vec<f64>,
    delay: Duration,
    /// The reason of the loss, and the ID that the client resumes from.
    reason: String,
    id: String,
}

impl Picture {
    fn new(lines: &[Line]) -> Result<Picture, Box<dyn Error>> {
        let time = |line: &Line| LEAD_IN + line.at * SLOWER;
        let find = |start: &str| lines.iter().position(|line| line.text.starts_with(start));
        let first = find("open ").ok_or("tail did not connect")?;
        let lost = find("reconnecting in ").ok_or("tail did not lose its connection")?;
        let is_resumed = |line: &Line| line.text.starts_with("open ");
        let resumed = lines[lost..].iter().find(|line| is_resumed(line));
        let resumed = resumed.ok_or("tail did not come back")?;
        let (_, id) = resumed.text.rsplit_once(' ').unwrap_or_default();
        let words = &lines[lost].text["reconnecting in ".len()..];
        let (delay, reason) = words.split_once(": ").ok_or("tail gave no reason")?;
        let delay = delay.trim_end_matches(|c: char| c.is_alphabetic()).parse()?;
        Ok(Picture {
            svg: String::new(),
            animations: 0,
            length: lines.last().map_or(0.0, time) + STAY,
            opened: time(&lines[first]),
            lost: time(&lines[lost]),
            resumed: time(resumed),
            events: lines.iter().filter(|line| event(&line.text).is_some()).map(time).collect(),
            delay: Duration::from_secs_f64(delay),
            reason: reason.to_owned(),
            id: id.to_owned(),
        })
    }

    fn draw(mut self, lines: &[Line]) -> String {
        let height = SCENE + LINE * (lines.len() as f64 + 1.0) + 22.0;
        let _ = write!(
            self.svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
             <title>tail loses its connection and no event</title>\n<style>{STYLE}</style>\n\
             <rect x=\"1\" y=\"1\" width=\"{}\" height=\"{}\" rx=\"10\" fill=\"#0d1117\" \
             stroke=\"#30363d\" stroke-width=\"1.5\"/>\n",
            WIDTH - 2.0,
            height - 2.0,
        );
        self.scene();
        self.terminal(lines);
        self.svg.push_str("</svg>\n");
        self.svg
    }

    /// The server, the client, and what happens between them.
    fn scene(&mut self) {
        let (opened, lost, resumed, end) = (self.opened, self.lost, self.resumed, self.length);
        let middle = (WIRE_START + WIRE_END) / 2.0;
        for (x, name) in [(LEFT, "server"), (WIRE_END, "client")] {
            let center = x + 54.0;
            let _ = writeln!(
                self.svg,
                "<rect class=\"box\" x=\"{x}\" y=\"{}\" width=\"108\" height=\"48\" rx=\"7\"/>\
                 <text class=\"bold mid\" x=\"{center}\" y=\"{}\">{name}</text>",
                WIRE - 24.0,
                WIRE + 5.0,
            );
        }
        let wire = |from: f64, to: f64, class: &str| {
            format!("<path class=\"{class}\" d=\"M{from} {WIRE}H{to}\"/>")
        };
        let whole = wire(WIRE_START, WIRE_END, "ok");
        self.show(opened, lost, &whole);
        self.show(resumed, end, &whole);
        let halves = [(WIRE_START, middle - 16.0), (middle + 16.0, WIRE_END)];
        let mut gap: String = halves.map(|(from, to)| wire(from, to, "cut")).concat();
        let _ = write!(
            gap,
            "<path d=\"M{0} {1}l16 16m0-16l-16 16\" stroke=\"#f85149\" stroke-width=\"3.5\"/>",
            middle - 8.0,
            WIRE - 8.0,
        );
        self.show(lost, resumed, &gap);

        // The state in words, and how much of the delay is left.
        let say = |class: &str, words: &str| {
            format!(
                "<text class=\"mid {class}\" x=\"{middle}\" y=\"{}\">{words}</text>",
                WIRE - 34.0
            )
        };
        self.show(opened, lost, &say("good", "connected"));
        let words = format!("connection lost: waits {:.1} s", self.delay.as_secs_f64());
        self.show(lost, resumed, &say("bad bold", &words));
        let words = format!("resumed after event {}", self.id);
        self.show(resumed, end, &say("good bold", &words));
        let shrink = self.keyframes(&[
            (0.0, "transform:scaleX(0)"),
            (lost, "transform:scaleX(0)"),
            (lost + 0.01, "transform:scaleX(1)"),
            (resumed, "transform:scaleX(0)"),
        ]);
        let _ = writeln!(
            self.svg,
            "<rect class=\"moves wait\" x=\"{}\" y=\"{}\" width=\"160\" height=\"5\" rx=\"2\" \
             style=\"transform-origin:{middle}px 0;{shrink}\"/>",
            middle - 80.0,
            WIRE + 26.0,
        );

        // The events on their way, and those that have arrived.
        let distance = WIRE_END - WIRE_START;
        for (index, at) in self.events.clone().into_iter().enumerate() {
            let is_first_after = index > 0 && self.events[index - 1] < lost && at > lost;
            self.fly(at - FLIGHT, at, WIRE_START, distance, "#58a6ff");
            if is_first_after {
                // The half of this event that came before the loss.
                self.fly(lost - FLIGHT, lost, WIRE_START, distance / 2.0, "#f85149");
            }
            let (x, y) = (LEFT + 576.0 + 40.0 * (index % 6) as f64, WIRE - 34.0);
            let y = y + 40.0 * (index / 6) as f64;
            let number = index + 1;
            let square = |class| {
                format!(
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"32\" height=\"30\" rx=\"5\"/>"
                )
            };
            let slot = square("slot");
            let _ = writeln!(self.svg, "{slot}");
            let got = format!(
                "{}<text class=\"bold mid\" x=\"{}\" y=\"{}\">{number}</text>",
                square("got"),
                x + 16.0,
                y + 20.0,
            );
            self.show(at, end, &got);
        }
        let _ = writeln!(
            self.svg,
            "<text class=\"dim mid\" x=\"{}\" y=\"{}\">events received</text>",
            LEFT + 576.0 + 116.0,
            WIRE - 46.0,
        );
        // The request that resumes.
        let words = format!("Last-Event-ID: {}", self.id);
        let words =
            format!("<text class=\"mid wait\" x=\"{middle}\" y=\"{}\">{words}</text>", WIRE + 26.0);
        self.show(resumed, end, &words);
        let rule = SCENE - 12.0;
        let _ = writeln!(self.svg, "<path d=\"M1 {rule}H{}\" stroke=\"#30363d\"/>", WIDTH - 1.0);
    }

    /// A dot that moves along the line between two moments.
    fn fly(&mut self, from: f64, to: f64, x: f64, distance: f64, color: &str) {
        let style = self.keyframes(&[
            (0.0, "opacity:0;transform:none"),
            (from, "opacity:0;transform:none"),
            (from + 0.01, "opacity:1"),
            (to - 0.01, "opacity:1"),
            (to, &format!("opacity:0;transform:translateX({distance}px)")),
        ]);
        let _ = writeln!(
            self.svg,
            "<circle class=\"moves\" cx=\"{x}\" cy=\"{WIRE}\" r=\"7\" fill=\"{color}\" \
             style=\"{style}\"/>",
        );
    }

    /// The lines that `tail` printed, each when it was printed.
    fn terminal(&mut self, lines: &[Line]) {
        let mut y = SCENE + 14.0;
        let _ = writeln!(
            self.svg,
            "<text x=\"{LEFT}\" y=\"{y}\"><tspan class=\"good\">$</tspan> \
             cargo run --example tail</text>",
        );
        for (index, line) in lines.iter().enumerate() {
            y += LINE;
            let at = LEAD_IN + line.at * SLOWER;
            let is_last = index + 1 == lines.len();
            let drawn = draw_line(&line.text, y, is_last, &self.reason);
            self.show(at, self.length, &drawn);
        }
    }

    /// Shows something from one moment to another.
    fn show(&mut self, from: f64, to: f64, drawn: &str) {
        let mut steps = vec![(0.0, "opacity:0"), (from, "opacity:0"), (from + 0.01, "opacity:1")];
        steps.push((to.min(self.length - 0.3), "opacity:1"));
        steps.push((to.min(self.length - 0.3) + 0.01, "opacity:0"));
        let style = self.keyframes(&steps);
        // Without motion, the last picture is seen.
        let class = if to < self.length { " class=\"moves\"" } else { "" };
        let _ = writeln!(self.svg, "<g{class} style=\"{style}\">{drawn}</g>");
    }

    /// Defines an animation, and returns the style that runs it.
    fn keyframes(&mut self, steps: &[(f64, &str)]) -> String {
        self.animations += 1;
        let name = format!("a{}", self.animations);
        let _ = write!(self.svg, "<style>@keyframes {name}{{");
        for (at, style) in steps {
            let _ = write!(self.svg, "{:.2}%{{{style}}}", at / self.length * 100.0);
        }
        // Without it, the browser would move back to the state without an animation.
        if let Some((_, last)) = steps.last() {
            let _ = write!(self.svg, "100%{{{last}}}");
        }
        let _ = writeln!(self.svg, "}}</style>");
        format!("animation:{name} {:.1}s linear infinite", self.length)
    }
}

/// Splits the line of an event into its ID, its type and its data. Further lines of data have
/// neither ID nor type, and are not an event.
fn event(line: &str) -> Option<(&str, &str, &str)> {
    let (id, rest) = line.strip_prefix("  ")?.split_at_checked(2)?;
    id.trim().parse::<u64>().ok()?;
    let (kind, data) = rest.split_at_checked(12).unwrap_or((rest, ""));
    Some((id, kind, data))
}

fn draw_line(line: &str, y: f64, is_last: bool, reason: &str) -> String {
    let text = |x: f64, class: &str, text: &str| {
        format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{}</text>", escape(text))
    };
    if let Some((id, kind, data)) = event(line) {
        return [
            text(LEFT + 2.0 * CHAR, "id", id),
            text(LEFT + 6.0 * CHAR, "dim", kind.trim()),
            text(LEFT + 16.0 * CHAR, "", data),
        ]
        .concat();
    }
    match line {
        _ if is_last => text(LEFT, "good bold", line),
        _ if line.ends_with(reason) => text(LEFT, "bad bold", line),
        _ if line.starts_with("open ") => text(LEFT, "good", line),
        _ if line.starts_with(' ') => text(LEFT + 16.0 * CHAR, "", line.trim_start()),
        _ => text(LEFT, "dim", line),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
