//! The command line.

use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;

pub(crate) const USAGE: &str = "\
Relays one event stream to any number of readers.

Usage: relay [OPTIONS] UPSTREAM
       relay [OPTIONS] --redis URL   serve the events that another relay writes
       relay                         a demo: an upstream of its own, 1,000 readers
       relay --redis-demo            a demo: two relays on one Redis, which restarts

Options:
  --listen ADDRESS   serve here (default: 127.0.0.1:8081)
  --redis URL        keep the replay log in a Redis stream, for several relays
  --key KEY          the name of that stream (default: everstream)
  --keep N           events kept for replay (default: 4096)
  -h, --help         print this
";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Demo,
    RedisDemo,
    Relay(Options),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) upstream: Option<String>,
    pub(crate) listen: String,
    pub(crate) redis: Option<String>,
    pub(crate) key: String,
    pub(crate) keep: Option<usize>,
}

impl Command {
    /// Parses the arguments after the program's name. Fails with one line that says what is wrong.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
        Command::read(Parser::from_args(args)).map_err(|error| error.to_string())
    }

    fn read(mut args: Parser) -> Result<Command, lexopt::Error> {
        let mut options = Options {
            upstream: None,
            listen: "127.0.0.1:8081".to_owned(),
            redis: None,
            key: "everstream".to_owned(),
            keep: None,
        };
        let mut any = false;
        while let Some(arg) = args.next()? {
            any = true;
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
                Arg::Long("redis-demo") => return Ok(Command::RedisDemo),
                Arg::Long("listen") => options.listen = args.value()?.string()?,
                Arg::Long("redis") => options.redis = Some(args.value()?.string()?),
                Arg::Long("key") => options.key = args.value()?.string()?,
                Arg::Long("keep") => options.keep = Some(args.value()?.parse()?),
                Arg::Value(url) if options.upstream.is_none() => {
                    options.upstream = Some(url.string()?);
                }
                unknown => return Err(unknown.unexpected()),
            }
        }
        match options {
            _ if !any => Ok(Command::Demo),
            Options { upstream: None, redis: None, .. } => Err("UPSTREAM is missing".into()),
            options => Ok(Command::Relay(options)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Command, String> {
        Command::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn without_an_argument_the_demo_runs() {
        assert_eq!(parse(&[]), Ok(Command::Demo));
        assert_eq!(parse(&["--redis-demo"]), Ok(Command::RedisDemo));
    }

    #[test]
    fn a_relay_needs_an_upstream_or_redis() {
        let Ok(Command::Relay(options)) = parse(&["http://a/", "--keep", "9"]) else { panic!() };
        assert_eq!((options.upstream.as_deref(), options.keep), (Some("http://a/"), Some(9)));
        let Ok(Command::Relay(options)) = parse(&["--redis", "redis://b/"]) else { panic!() };
        assert_eq!((options.upstream, options.redis.as_deref()), (None, Some("redis://b/")));
        assert_eq!(parse(&["--listen", "x"]), Err("UPSTREAM is missing".to_owned()));
    }
}
