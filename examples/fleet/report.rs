//! The report of a run.

use crate::chart::{Chart, Panel, Scale};
use crate::history::{Second, connected};
use crate::server::{EVENTS, RETRY};
use std::fmt;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) clients: usize,
    /// The bytes per connection in the clients' process and in the server's process.
    pub(crate) weights: [Option<u64>; 2],
    pub(crate) outage: Duration,
    /// The time from the start to the kill of the server.
    pub(crate) killed: Duration,
    pub(crate) seconds: Vec<Second>,
}

impl Report {
    /// Returns the time from the kill of the server to the last opened connection.
    fn back_after(&self) -> Duration {
        let last = self.seconds.iter().filter_map(|second| second.last_opened).max();
        last.unwrap_or_default().saturating_sub(self.killed)
    }

    /// Returns the seconds from the kill of the server to the last opened connection.
    fn return_of_the_fleet(&self) -> &[Second] {
        let seconds = &self.seconds[self.killed.as_secs() as usize..];
        let last = seconds.iter().rposition(|second| second.opened > 0);
        &seconds[..last.map_or(0, |last| last + 1)]
    }

    pub(crate) fn draw(&self) -> String {
        let killed = self.killed.as_secs_f64();
        let panel = |name: &str, values: Vec<f64>, words: &str| Panel {
            name: name.to_owned(),
            scale: Scale { log_from: None, top: top(&values) },
            values,
            line: None,
            mark: Some((killed, words.to_owned())),
        };
        let of = |count: fn(&Second) -> usize| -> Vec<f64> {
            self.seconds.iter().map(|second| count(second) as f64).collect()
        };
        let open = connected(&self.seconds).into_iter().map(|open| open as f64).collect();
        let footnote = format!(
            "The server is killed, and is back after {:.0} s. It asks clients to wait {} s, which \
             grows with each failure and is spread at random.",
            self.outage.as_secs_f64(),
            RETRY.as_secs(),
        );
        let title = format!("{} clients in one process, and a server that restarts", self.clients);
        let seconds = self.seconds.len().next_multiple_of(6);
        Chart { title: &title, footnote: &footnote, seconds }.svg(&[
            panel("open connections", open, "killed"),
            panel("connections per second", of(|second| second.opened), ""),
            panel("refused attempts per second", of(|second| second.refused), ""),
        ])
    }
}

/// Returns a round number that no value exceeds.
fn top(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(1.0, f64::max);
    let unit = 10_f64.powf(most.log10().floor());
    (most / unit).ceil() * unit
}

/// Prints the report. Its last line is equal in each run.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = |count: fn(&Second) -> usize| -> usize { self.seconds.iter().map(count).sum() };
        let fleet = self.return_of_the_fleet();
        let per_second: Vec<String> =
            fleet.iter().map(|second| second.opened.to_string()).collect();
        for (who, weight) in ["the clients", "the server"].into_iter().zip(self.weights) {
            match weight {
                Some(bytes) => {
                    writeln!(
                        f,
                        "memory of {who}: {:.1} KiB per connection",
                        bytes as f64 / 1024.0
                    )?;
                }
                None => writeln!(f, "memory of {who}: this system does not tell")?,
            }
        }
        writeln!(
            f,
            "connections: {} lost, {} made in all",
            total(|s| s.lost),
            total(|s| s.opened)
        )?;
        writeln!(f, "attempts that were refused: {}", total(|s| s.refused))?;
        writeln!(f, "connections per second since the server's death: {}", per_second.join(" "))?;
        writeln!(
            f,
            "all back: {:.1} s after its death, {:.1} s after its return",
            self.back_after().as_secs_f64(),
            self.back_after().saturating_sub(self.outage).as_secs_f64(),
        )?;
        writeln!(f, "{} clients, {EVENTS} events each, 1 restart, nothing lost", self.clients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let opened = |opened, at| Second {
            opened,
            last_opened: Some(Duration::from_millis(at)),
            ..Second::default()
        };
        let lost = Second { lost: 3, refused: 2, ..Second::default() };
        Report {
            clients: 3,
            weights: [Some(2048), None],
            outage: Duration::from_secs(1),
            killed: Duration::from_millis(1500),
            seconds: vec![
                opened(3, 900),
                lost,
                opened(2, 2900),
                opened(1, 3500),
                Second::default(),
            ],
        }
    }

    #[test]
    fn a_report_tells_the_return_second_by_second_and_ends_with_the_verdict() {
        let text = report().to_string();
        for line in [
            "memory of the clients: 2.0 KiB per connection",
            "connections: 3 lost, 6 made in all",
            "connections per second since the server's death: 0 2 1",
            "all back: 2.0 s after its death, 1.0 s after its return",
        ] {
            assert!(text.lines().any(|other| other == line), "{line:?} is not in\n{text}");
        }
        assert!(text.ends_with("\n3 clients, 50 events each, 1 restart, nothing lost\n"));
    }

    #[test]
    fn a_scale_ends_at_a_round_number() {
        assert_eq!(
            [&[][..], &[0.0], &[3.0], &[3956.0, 2.0], &[1e4]].map(top),
            [1.0, 1.0, 3.0, 4e3, 1e4]
        );
    }

    #[test]
    fn the_chart_shows_when_the_server_was_killed() {
        assert!(report().draw().contains(">killed<"));
    }
}
