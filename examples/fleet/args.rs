//! The command line.

use crate::server::Plan;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "Usage: fleet [--clients N] [--svg PATH]";

/// The number of clients that the documentation promises.
const CLIENTS: usize = 10_000;

/// The argument that makes this program the server.
pub(crate) const SERVE: &str = "--serve";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Fleet { clients: usize, svg: Option<PathBuf> },
    Serve(Plan),
}

impl Command {
    /// Parses the arguments. An error is one line.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, String> {
        let mut args = args.into_iter();
        let (mut clients, mut svg) = (CLIENTS, None);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--help" | "-h" => return Ok(Command::Help),
                "--clients" => {
                    let value = value()?;
                    let number = value.parse().ok().filter(|number| *number > 0);
                    clients = number.ok_or_else(|| format!("{value:?} is no number of clients"))?;
                }
                "--svg" => svg = Some(value()?.into()),
                SERVE => {
                    let plan = value()?;
                    let parsed = Plan::parse(&plan);
                    return Ok(Command::Serve(parsed.ok_or_else(|| format!("no plan: {plan:?}"))?));
                }
                _ => return Err(format!("{arg:?} is not understood")),
            }
        }
        Ok(Command::Fleet { clients, svg })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Command, String> {
        Command::parse(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn ten_thousand_clients_unless_told_otherwise() {
        assert_eq!(parse(&[]), Ok(Command::Fleet { clients: 10_000, svg: None }));
        let svg = Some(PathBuf::from("x.svg"));
        let told = parse(&["--clients", "7", "--svg", "x.svg"]);
        assert_eq!(told, Ok(Command::Fleet { clients: 7, svg }));
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (args, complaint) in [
            (&["--clients"][..], "--clients needs a value"),
            (&["--clients", "0"], "\"0\" is no number of clients"),
            (&["--clients", "many"], "\"many\" is no number of clients"),
            (&["500"], "\"500\" is not understood"),
            (&["--serve", "x"], "no plan: \"x\""),
        ] {
            assert_eq!(parse(args), Err(complaint.to_owned()), "{args:?}");
        }
    }
}
