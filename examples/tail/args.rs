//! The command line.

use lexopt::{Arg, Parser, ValueExt};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::ffi::OsString;

pub(crate) const HELP: &str = "\
Tails a stream of server-sent events until Ctrl-C.

Usage: tail [OPTIONS] URL
       tail                   a demo: a server of its own, which breaks the connection

Options:
  --header 'NAME: VALUE'      send this header too (repeatable)
  --last-event-id ID          start after this event
  --post BODY                 send a POST with this body, once; as JSON if it is JSON
  --json                      print one JSON object per event
  --comments                  print comments too
  -h, --help                  print this

Events go to standard output, all else to standard error. The status is 0 after Ctrl-C or
when the server has no more events, 1 after a failure, 2 for a wrong command line.
";

#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Demo,
    Follow(Box<Options>),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) last_event_id: Option<String>,
    pub(crate) post: Option<String>,
    pub(crate) json: bool,
    pub(crate) comments: bool,
}

impl Command {
    /// Parses the arguments after the program's name. Fails with one line that says what is wrong.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
        Command::read(Parser::from_args(args)).map_err(|error| error.to_string())
    }

    fn read(mut args: Parser) -> Result<Command, lexopt::Error> {
        let mut headers = HeaderMap::new();
        let (mut url, mut last_event_id, mut post) = (None, None, None);
        let (mut json, mut comments, mut any) = (false, false, false);

        while let Some(arg) = args.next()? {
            any = true;
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
                Arg::Long("json") => json = true,
                Arg::Long("comments") => comments = true,
                Arg::Long("header") => {
                    let (name, value) = parse_header(&args.value()?.string()?)?;
                    headers.append(name, value);
                }
                Arg::Long("last-event-id") => {
                    let id = args.value()?.string()?;
                    HeaderValue::from_bytes(id.as_bytes())
                        .map_err(|_| format!("no header can carry the id {id:?}"))?;
                    last_event_id = Some(id);
                }
                Arg::Long("post") => post = Some(args.value()?.string()?),
                Arg::Value(value) if url.is_none() => url = Some(parse_url(&value.string()?)?),
                unknown => return Err(unknown.unexpected()),
            }
        }

        match url {
            Some(url) => {
                let options = Options { url, headers, last_event_id, post, json, comments };
                Ok(Command::Follow(Box::new(options)))
            }
            None if any => Err("a URL is missing".into()),
            None => Ok(Command::Demo),
        }
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Err(error) if begins_as_http(text) => Err(format!("{text:?} is not a URL: {error}")),
        _ => Err(format!("{text:?} is not a URL: it does not begin with http:// or https://")),
    }
}

fn begins_as_http(text: &str) -> bool {
    let scheme = text.split("://").next().filter(|scheme| scheme.len() < text.len());
    scheme.is_some_and(|scheme| ["http", "https"].iter().any(|s| s.eq_ignore_ascii_case(scheme)))
}

/// Parses `NAME: VALUE`. An error never contains the value, which may be a secret.
fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("--header takes 'NAME: VALUE'")?;
    let name = HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| format!("{:?} is not the name of a header", name.trim()))?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes())
        .map_err(|_| format!("the header {name} cannot have this value"))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Command, String> {
        Command::parse(args.iter().map(OsString::from))
    }

    fn options(args: &[&str]) -> Box<Options> {
        match parse(args) {
            Ok(Command::Follow(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_an_argument_the_demo_runs() {
        assert!(matches!(parse(&[]), Ok(Command::Demo)));
        for help in [&["--help"][..], &["-h"], &["http://x/", "--json", "--help"]] {
            assert!(matches!(parse(help), Ok(Command::Help)), "{help:?}");
        }
    }

    #[test]
    fn options_may_come_before_and_after_the_url() {
        let options = options(&[
            "--header",
            "Authorization: Bearer a:b",
            "--json",
            "http://localhost:8080/events?a=b",
            "--header=x-y:1",
            "--header",
            "X-Y: 2",
            "--last-event-id=a=b",
            "--post",
            "--json",
        ]);
        assert_eq!(options.url.as_str(), "http://localhost:8080/events?a=b");
        assert_eq!(options.headers["authorization"], "Bearer a:b");
        assert_eq!(options.headers.get_all("x-y").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(options.last_event_id.as_deref(), Some("a=b"));
        assert_eq!(options.post.as_deref(), Some("--json"), "it is a value here");
        assert!(options.json && !options.comments);
    }

    #[test]
    fn a_wrong_command_line_is_reported() {
        for (args, complaint) in [
            (&["--follow"][..], "invalid option '--follow'"),
            (&["-f"], "invalid option '-f'"),
            (&["--follow=1"], "invalid option '--follow'"),
            (&["--json=yes"], "unexpected argument for option '--json': \"yes\""),
            (&["--json"], "a URL is missing"),
            (&["--post"], "missing argument for option '--post'"),
            (&["http://a/", "http://b/"], "unexpected argument \"http://b/\""),
            (&["--header", "nonsense"], "--header takes 'NAME: VALUE'"),
            (&["--header", "a b: c"], "\"a b\" is not the name of a header"),
            (&["--header", "a: b\nc"], "the header a cannot have this value"),
            (&["--last-event-id", "\u{1}"], "no header can carry the id \"\\u{1}\""),
            (&["http://"], "\"http://\" is not a URL: empty host"),
            (&["HTTP://a:b/"], "\"HTTP://a:b/\" is not a URL: invalid port number"),
        ] {
            assert_eq!(parse(args).unwrap_err(), complaint, "{args:?}");
        }
        for url in ["", "localhost", "localhost:80/events", "/events", "ftp://a/", "httpx://a/"] {
            let complaint = parse(&[url]).unwrap_err();
            assert!(complaint.ends_with("does not begin with http:// or https://"), "{complaint}");
        }
    }
}
