//! The command line.

use crate::contestant::Face;
use crate::e2e;
use crate::measure::Plan;
use crate::scenario::{CHUNKINGS, Chunking, SCENARIOS, Scenario};
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
Usage: everstream-peers [options]

  --e2e             whole clients over HTTP, and what their idle connections weigh
  --quick           fewer and shorter rounds; ends within a minute
  --scenario NAME   only this scenario (may be repeated)
  --chunk BYTES     only chunks of this size, or event: one per event (may be repeated)
  --face FACE       only this face of everstream: lending or owned
  --rounds N        how many rounds each figure is taken from
  --svg PATH        draw the chart
  --help            this text";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) chunkings: Vec<Chunking>,
    pub(crate) face: Option<Face>,
    pub(crate) plan: Plan,
    /// The plan of the end-to-end benchmark, which replaces that of the parsers.
    pub(crate) e2e: Option<e2e::Plan>,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) help: bool,
}

impl Options {
    /// Parses the arguments after the program's name. Fails with one line that says what is wrong.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        Options::read(Parser::from_args(args)).map_err(|error| error.to_string())
    }

    fn read(mut args: Parser) -> Result<Self, lexopt::Error> {
        let mut options = Options {
            scenarios: Vec::new(),
            chunkings: Vec::new(),
            face: None,
            plan: Plan::FULL,
            e2e: None,
            svg: None,
            help: false,
        };
        let (mut quick, mut e2e, mut rounds) = (false, false, None);
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Long("e2e") => e2e = true,
                Arg::Long("quick") => quick = true,
                Arg::Long("scenario") => {
                    options.scenarios.push(scenario(&args.value()?.string()?)?);
                }
                Arg::Long("chunk") => options.chunkings.push(args.value()?.parse()?),
                Arg::Long("face") => options.face = Some(face(&args.value()?.string()?)?),
                Arg::Long("rounds") => {
                    let number: NonZeroUsize = args.value()?.parse()?;
                    rounds = Some(number.get());
                }
                Arg::Long("svg") => options.svg = Some(args.value()?.into()),
                Arg::Long("help") | Arg::Short('h') => options.help = true,
                Arg::Long("bench") => {} // `cargo bench` adds it
                unknown => return Err(unknown.unexpected()),
            }
        }
        if quick {
            options.plan = Plan::QUICK;
        }
        if let Some(rounds) = rounds {
            options.plan.rounds = rounds;
        }
        if e2e {
            options.narrow_to_e2e(quick, rounds)?;
        }
        if options.scenarios.is_empty() {
            options.scenarios = SCENARIOS.iter().collect();
        }
        if options.chunkings.is_empty() {
            options.chunkings = CHUNKINGS.to_vec();
        }
        Ok(options)
    }

    fn narrow_to_e2e(&mut self, quick: bool, rounds: Option<usize>) -> Result<(), String> {
        let mut plan = if quick { e2e::Plan::QUICK } else { e2e::Plan::FULL };
        plan.rounds = rounds.unwrap_or(plan.rounds);
        self.e2e = Some(plan);
        if self.face.is_some() || self.svg.is_some() || !self.chunkings.is_empty() {
            return Err("--face, --chunk and --svg are not for --e2e".to_owned());
        }
        if self.scenarios.is_empty() {
            self.scenarios =
                e2e::SCENARIOS.iter().map(|name| scenario(name)).collect::<Result<_, _>>()?;
        }
        match self.scenarios.iter().find(|scenario| !e2e::SCENARIOS.contains(&scenario.name)) {
            Some(other) => Err(format!(
                "{} is not for --e2e, but {} are",
                other.name,
                e2e::SCENARIOS.join(", ")
            )),
            None => Ok(()),
        }
    }
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    SCENARIOS.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        format!("no scenario {name}; there are {}", names.join(", "))
    })
}

fn face(name: &str) -> Result<Face, String> {
    [Face::Lending, Face::Owned]
        .into_iter()
        .find(|face| face.name() == name)
        .ok_or(format!("no face {name}; there are lending and owned"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn without_options_everything_runs() {
        let options = parse("").unwrap();
        assert_eq!(options.scenarios.len(), SCENARIOS.len());
        assert_eq!(options.chunkings, CHUNKINGS);
        assert_eq!(options.plan.rounds, Plan::FULL.rounds);
    }

    #[test]
    fn options_narrow_the_run_in_any_order() {
        let options =
            parse("--rounds 5 --scenario llm --chunk 10 --quick --face owned --scenario ids --chunk event")
                .unwrap();
        let names: Vec<&str> = options.scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["llm", "ids"]);
        assert_eq!(options.chunkings, [Chunking::Bytes(10), Chunking::Event]);
        assert_eq!(options.face, Some(Face::Owned));
        assert_eq!(options.plan, Plan { rounds: 5, ..Plan::QUICK });
    }

    #[test]
    fn end_to_end_has_scenarios_and_a_plan_of_its_own() {
        let options = parse("--e2e --rounds 3").unwrap();
        let names: Vec<&str> = options.scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, e2e::SCENARIOS);
        assert_eq!(options.e2e, Some(e2e::Plan { rounds: 3, ..e2e::Plan::FULL }));
        assert_eq!(parse("--quick --e2e").unwrap().e2e, Some(e2e::Plan::QUICK));
        assert_eq!(parse("--e2e --scenario tiny").unwrap().scenarios.len(), 1);
        assert_eq!(parse("").unwrap().e2e, None);
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        for line in [
            "--fast",
            "--chunk",
            "--chunk 0",
            "--rounds 0",
            "--rounds x",
            "--scenario x",
            "--face x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in
            ["--e2e --scenario ids", "--e2e --chunk 10", "--e2e --svg x", "--face owned --e2e"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
