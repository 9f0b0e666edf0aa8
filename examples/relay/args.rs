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
    pub(crate) source: Source,
    pub(crate) listen: String,
    pub(crate) keep: Option<usize>,
}

/// The origin of the events.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Upstream(String),
    /// A Redis stream. This relay writes it if it has an upstream; otherwise another relay does.
    Redis {
        url: String,
        key: String,
        upstream: Option<String>,
    },
}

impl Command {
    /// Parses the arguments after the program's name. Fails with one line that says what is wrong.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
        Command::read(Parser::from_args(args)).map_err(|error| error.to_string())
    }

    fn read(mut args: Parser) -> Result<Command, lexopt::Error> {
        let (mut upstream, mut redis, mut keep) = (None, None, None);
        let mut listen = "127.0.0.1:8081".to_owned();
        let mut key = "everstream".to_owned();
        let mut any = false;
        while let Some(arg) = args.next()? {
            any = true;
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
                Arg::Long("redis-demo") => return Ok(Command::RedisDemo),
                Arg::Long("listen") => listen = args.value()?.string()?,
                Arg::Long("redis") => redis = Some(args.value()?.string()?),
                Arg::Long("key") => key = args.value()?.string()?,
                Arg::Long("keep") => keep = Some(args.value()?.parse()?),
                Arg::Value(url) if upstream.is_none() => upstream = Some(url.string()?),
                unknown => return Err(unknown.unexpected()),
            }
        }
        if !any {
            return Ok(Command::Demo);
        }
        let source = match (redis, upstream) {
            (Some(url), upstream) => Source::Redis { url, key, upstream },
            (None, Some(url)) => Source::Upstream(url),
            (None, None) => return Err("UPSTREAM is missing".into()),
        };
        Ok(Command::Relay(Options { source, listen, keep }))
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
        assert_eq!(options.source, Source::Upstream("http://a/".to_owned()));
        assert_eq!(options.keep, Some(9));
        for upstream in [None, Some("http://a/")] {
            let args = ["--redis", "redis://b/", "--key", "k"].into_iter().chain(upstream);
            let parsed = parse(&args.collect::<Vec<_>>());
            let Ok(Command::Relay(options)) = parsed else { panic!("{parsed:?}") };
            let (url, key) = ("redis://b/".to_owned(), "k".to_owned());
            let upstream = upstream.map(str::to_owned);
            assert_eq!(options.source, Source::Redis { url, key, upstream });
        }
        assert_eq!(parse(&["--listen", "x"]), Err("UPSTREAM is missing".to_owned()));
    }
}
