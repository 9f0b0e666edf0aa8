//! The chart of the race: bars of GiB/s, in light and dark colours.

use crate::contestant::Role;
use crate::measure::{Outcome, Race, Standing};
use crate::scenario::Chunking;
use crate::svg::Svg;

/// The chunkings that get a column, if they were raced.
const COLUMNS: [Chunking; 2] = [Chunking::Bytes(1460), Chunking::Bytes(64 * 1024)];

/// The number of peers to show.
const PEERS: usize = 3;

const WIDTH: f64 = 900.0;
const TOP: f64 = 92.0;
const LABELS: f64 = 160.0;
const GUTTER: f64 = 24.0;
const BAR: f64 = 11.0;
const BETWEEN_GROUPS: f64 = 18.0;
const BOTTOM: f64 = 40.0;

/// The width of the fastest parser's bar, as a share of its column. Figures take the rest.
const FASTEST: f64 = 0.72;

const STYLE: &str = "\
    .ground { fill: #ffffff } text { fill: #1f2328; font: 11px system-ui, sans-serif }
    .title { font-size: 16px; font-weight: 600 } .name { font-weight: 600; font-size: 12px }
    .note { fill: #59636e } .figure { font-size: 9.5px }
    .lending { fill: #0969da } .owned { fill: #54aeff } .floor { fill: #d1d9e0 }
    .peer0 { fill: #bc4c00 } .peer1 { fill: #d4a72c } .peer2 { fill: #8250df }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117 } text { fill: #f0f6fc } .note { fill: #9198a1 }
      .lending { fill: #1f6feb } .owned { fill: #79c0ff } .floor { fill: #3d444d }
      .peer0 { fill: #db6d28 } .peer1 { fill: #e3b341 } .peer2 { fill: #a371f7 }
    }";

/// One of the bars of each group.
struct Series {
    name: &'static str,
    class: String,
    role: Role,
}

/// Draws the chart of the races that have a column.
pub(crate) fn svg(races: &[Race], footnote: &str) -> String {
    let races: Vec<&Race> = races.iter().filter(|race| COLUMNS.contains(&race.chunking)).collect();
    let mut scenarios: Vec<&str> = races.iter().map(|race| race.scenario.name).collect();
    scenarios.dedup();
    let series = series(&races);
    let group = series.len() as f64 * BAR + BETWEEN_GROUPS;
    let height = TOP + scenarios.len() as f64 * group + BOTTOM;
    let column = (WIDTH - LABELS) / COLUMNS.len() as f64 - GUTTER;

    let mut svg = Svg::new(WIDTH, height, "Speed of SSE parsers in GiB/s", STYLE);
    svg.text(20.0, 30.0, "title", "Parsing Server-Sent Events: GiB/s, longer is faster");
    legend(&mut svg, &series);
    for (index, chunking) in COLUMNS.into_iter().enumerate() {
        let head = match chunking {
            Chunking::Bytes(size @ 2048..) => format!("chunks of {} KiB", size / 1024),
            Chunking::Bytes(size) => format!("chunks of {size} B"),
            Chunking::Event => "a chunk for each event".to_owned(),
        };
        svg.text(column_start(index, column), TOP - 12.0, "note", &head);
    }
    for (row, scenario) in scenarios.into_iter().enumerate() {
        let top = TOP + row as f64 * group;
        let races: Vec<&&Race> =
            races.iter().filter(|race| race.scenario.name == scenario).collect();
        svg.text(20.0, top + 2.0 * BAR, "name", scenario);
        svg.text(20.0, top + 2.0 * BAR + 14.0, "note", races[0].scenario.about);
        let fastest = races
            .iter()
            .flat_map(|race| race.standings.iter().filter_map(|one| speed(race, one)))
            .fold(0.0, f64::max);
        for race in races {
            let index = COLUMNS.iter().position(|chunking| *chunking == race.chunking).unwrap_or(0);
            let start = column_start(index, column);
            for (place, series) in series.iter().enumerate() {
                let y = top + place as f64 * BAR;
                bar(&mut svg, start, y, column, fastest, series, race);
            }
        }
    }
    let note =
        format!("Each scenario has a scale of its own; bars that end in » go on. {footnote}");
    svg.text(20.0, height - 16.0, "note", &note);
    svg.finish()
}

fn column_start(index: usize, column: f64) -> f64 {
    LABELS + index as f64 * (column + GUTTER)
}

/// Returns the series: everstream, the best peers over all races, the floor.
fn series(races: &[&Race]) -> Vec<Series> {
    let Some(race) = races.first() else { return Vec::new() };
    let mut series = Vec::new();
    for standing in &race.standings {
        let entry = &standing.entry;
        if let Role::Ours(face) = entry.role {
            series.push(Series { name: entry.name, class: face.name().into(), role: entry.role });
        }
    }
    let mut peers: Vec<(&str, f64)> = race
        .standings
        .iter()
        .filter(|standing| standing.entry.role == Role::Peer)
        .map(|standing| (standing.entry.name, merit(races, standing.entry.name)))
        .collect();
    peers.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    for (index, (name, _)) in peers.into_iter().take(PEERS).enumerate() {
        series.push(Series { name, class: format!("peer{index}"), role: Role::Peer });
    }
    series.push(Series {
        name: "floor: line ends and UTF-8 only",
        class: "floor".into(),
        role: Role::Floor,
    });
    series
}

/// Returns the merit of a peer over all races: the mean logarithm of its speed relative to the best
/// peer. A race that it does not finish counts as a hundredth.
fn merit(races: &[&Race], name: &str) -> f64 {
    let part = |race: &&Race| {
        let best = race.best_peer()?.figures()?.min;
        let standing = race.standings.iter().find(|standing| standing.entry.name == name)?;
        Some((best / standing.figures()?.min).max(0.01))
    };
    races.iter().map(|race| part(race).unwrap_or(0.01).ln()).sum::<f64>() / races.len() as f64
}

/// Returns the speed of a parser in GiB/s.
fn speed(race: &Race, standing: &Standing) -> Option<f64> {
    match standing.entry.role {
        Role::Ours(_) | Role::Peer => Some(race.gib_per_second(standing.figures()?.min)),
        Role::Floor | Role::Copy => None,
    }
}

fn legend(svg: &mut Svg, series: &[Series]) {
    let mut x = 20.0;
    for Series { name, class, .. } in series {
        rect(svg, x, 44.0, 10.0, 10.0, class);
        svg.text(x + 15.0, 53.0, "", name);
        x += 34.0 + 6.4 * name.len() as f64;
    }
}

/// Draws the bar of `series` in `race`, with its figure.
fn bar(svg: &mut Svg, x: f64, y: f64, column: f64, fastest: f64, series: &Series, race: &Race) {
    let baseline = y + BAR - 2.5;
    let speed = match series.role {
        Role::Floor => race.floor().map(|floor| race.gib_per_second(floor)),
        _ => {
            let found = race.standings.iter().find(|standing| standing.entry.name == series.name);
            let Some(standing) = found else { return };
            match standing.outcome {
                Outcome::Measured(figures) => Some(race.gib_per_second(figures.min)),
                Outcome::Differs { .. } => {
                    return svg.text(x, baseline, "figure", "gives other events");
                }
                Outcome::TooSlow => return svg.text(x, baseline, "figure", "too slow"),
            }
        }
    };
    let Some(speed) = speed else { return };
    let full = column - 36.0;
    let width = speed / fastest * column * FASTEST;
    let goes_on = if width > full { "» " } else { "" };
    rect(svg, x, y, width.clamp(0.5, full), BAR - 1.5, &series.class);
    let figure = match speed {
        0.0..10.0 => format!("{goes_on}{speed:.2}"),
        _ => format!("{goes_on}{speed:.1}"),
    };
    svg.text(x + width.min(full) + 4.0, baseline, "figure", &figure);
}

fn rect(svg: &mut Svg, x: f64, y: f64, width: f64, height: f64, class: &str) {
    svg.line(&format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\"/>"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contestants;
    use crate::measure::{self, Plan};
    use crate::scenario::SCENARIOS;
    use std::time::Duration;

    #[test]
    fn a_chart_has_a_bar_or_a_word_for_every_series_in_every_column() {
        let plan = Plan { rounds: 1, turn: Duration::ZERO, cap: Duration::from_secs(2) };
        let stream = SCENARIOS[0].stream();
        let races: Vec<Race> = [10, 1460, 64 * 1024]
            .map(Chunking::Bytes)
            .map(|chunking| measure::race(&stream, chunking, &contestants::all(), &plan))
            .into();
        let svg = svg(&races, "A & B.");
        let series = 2 + PEERS + 1;
        assert_eq!(svg.matches("class=\"figure\"").count(), COLUMNS.len() * series);
        assert!(svg.contains("everstream lending") && svg.contains("A &amp; B."));
        assert!(svg.ends_with("</svg>\n"));
    }

    #[test]
    fn a_chart_of_no_race_is_empty() {
        assert!(svg(&[], "").contains("<svg"));
    }
}
