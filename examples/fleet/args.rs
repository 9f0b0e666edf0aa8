//! The command line.

use crate::server::{Plan, SERVE};
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "Usage: fleet [--clients N] [--svg PATH]";

/// Default number of clients, which docs/performance.md reports.
const CLIENTS: usize = 10_000;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Fleet { clients: usize, svg: Option<PathBuf> },
    Serve(Plan),
}

impl Command {
    /// Parses the arguments after the program's name. Fails with one line that says what is wrong.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
        Command::read(Parser::from_args(args)).map_err(|error| error.to_string())
    }

    fn read(mut args: Parser) -> Result<Command, lexopt::Error> {
        let (mut clients, mut svg) = (CLIENTS, None);
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
                Arg::Long("clients") => {
                    let value = args.value()?.string()?;
                    let number = value.parse().ok().filter(|number| *number > 0);
                    clients =
                        number.ok_or_else(|| format!("{value:?} is not a number of clients"))?;
                }
                Arg::Long("svg") => svg = Some(args.value()?.into()),
                Arg::Long(SERVE) => {
                    let plan = args.value()?.string()?;
                    let parsed = Plan::parse(&plan);
                    return Ok(Command::Serve(parsed.ok_or_else(|| format!("no plan: {plan:?}"))?));
                }
                unknown => return Err(unknown.unexpected()),
            }
        }
        Ok(Command::Fleet { clients, svg })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Command, String> {
        Command::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn ten_thousand_clients_are_the_default() {
        assert_eq!(parse(&[]), Ok(Command::Fleet { clients: 10_000, svg: None }));
        let svg = Some(PathBuf::from("x.svg"));
        let told = parse(&["--clients", "7", "--svg", "x.svg"]);
        assert_eq!(told, Ok(Command::Fleet { clients: 7, svg }));
    }

    #[test]
    fn a_wrong_command_line_is_reported() {
        for (args, complaint) in [
            (&["--clients"][..], "missing argument for option '--clients'"),
            (&["--clients", "0"], "\"0\" is not a number of clients"),
            (&["--clients", "many"], "\"many\" is not a number of clients"),
            (&["500"], "unexpected argument \"500\""),
            (&["--serve", "x"], "no plan: \"x\""),
        ] {
            assert_eq!(parse(args), Err(complaint.to_owned()), "{args:?}");
        }
    }
}
