//! The command line.

use crate::contestant::Face;
use crate::measure::Plan;
use crate::scenario::{CHUNKS, SCENARIOS, Scenario};
use std::path::PathBuf;
use std::str::FromStr;

pub(crate) const USAGE: &str = "\
Usage: everstream-peers [options]

  --quick           fewer and shorter rounds; ends within a minute
  --scenario NAME   only this scenario (may be repeated)
  --chunk BYTES     only chunks of this size, any size (may be repeated)
  --face FACE       only this face of everstream: lending or owned
  --rounds N        how many rounds each figure is taken from
  --svg PATH        draw the chart
  --help            this text";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) chunks: Vec<usize>,
    pub(crate) face: Option<Face>,
    pub(crate) plan: Plan,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) help: bool,
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            scenarios: Vec::new(),
            chunks: Vec::new(),
            face: None,
            plan: Plan::FULL,
            svg: None,
            help: false,
        };
        let mut rounds = None;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--quick" => options.plan = Plan::QUICK,
                "--scenario" => options.scenarios.push(scenario(&value()?)?),
                "--chunk" => options.chunks.push(positive(&arg, &value()?)?),
                "--face" => options.face = Some(face(&value()?)?),
                "--rounds" => rounds = Some(positive(&arg, &value()?)?),
                "--svg" => options.svg = Some(value()?.into()),
                "--help" | "-h" => options.help = true,
                // `cargo bench` passes it on.
                "--bench" => {}
                _ => return Err(format!("unknown option {arg}")),
            }
        }
        if let Some(rounds) = rounds {
            options.plan.rounds = rounds;
        }
        if options.scenarios.is_empty() {
            options.scenarios = SCENARIOS.iter().collect();
        }
        if options.chunks.is_empty() {
            options.chunks = CHUNKS.to_vec();
        }
        Ok(options)
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

fn positive<T: FromStr + Default + PartialEq>(option: &str, value: &str) -> Result<T, String> {
    match value.parse() {
        Ok(number) if number != T::default() => Ok(number),
        _ => Err(format!("{option}: {value} is not a number above zero")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_options_everything_runs() {
        let options = parse("").unwrap();
        assert_eq!(options.scenarios.len(), SCENARIOS.len());
        assert_eq!(options.chunks, CHUNKS);
        assert_eq!(options.plan.rounds, Plan::FULL.rounds);
    }

    #[test]
    fn options_narrow_the_run_in_any_order() {
        let options =
            parse("--rounds 5 --scenario llm --chunk 10 --quick --face owned --scenario ids")
                .unwrap();
        let names: Vec<&str> = options.scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["llm", "ids"]);
        assert_eq!(options.chunks, [10]);
        assert_eq!(options.face, Some(Face::Owned));
        assert_eq!(options.plan, Plan { rounds: 5, ..Plan::QUICK });
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in ["--fast", "--chunk", "--chunk 0", "--rounds x", "--scenario x", "--face x"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
