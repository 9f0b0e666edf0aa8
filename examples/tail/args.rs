//! The command line.

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
when the server says that this is the end, 1 if something failed, 2 for a wrong command line.
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
    /// Parses the arguments. An error is one line.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
        let mut args = args.into_iter().map(|arg| {
            arg.into_string().map_err(|arg| format!("the argument {arg:?} is not UTF-8"))
        });
        let mut headers = HeaderMap::new();
        let (mut url, mut last_event_id, mut post) = (None, None, None);
        let (mut json, mut comments, mut any) = (false, false, false);

        while let Some(arg) = args.next() {
            let arg = arg?;
            any = true;
            // Both `--name value` and `--name=value` are accepted.
            let (name, attached) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            let takes_value = matches!(name, "--header" | "--last-event-id" | "--post");
            let value = match attached {
                Some(_) if !takes_value && is_flag(name) => {
                    return Err(format!("{name} takes no value"));
                }
                None if takes_value => {
                    args.next().ok_or_else(|| format!("{name} needs a value"))??
                }
                attached => attached.unwrap_or_default(),
            };
            match name {
                "--help" | "-h" => return Ok(Command::Help),
                "--json" => json = true,
                "--comments" => comments = true,
                "--header" => {
                    let (name, value) = parse_header(&value)?;
                    headers.append(name, value);
                }
                "--last-event-id" => match HeaderValue::from_bytes(value.as_bytes()) {
                    Ok(_) => last_event_id = Some(value),
                    Err(_) => return Err(format!("no header can carry the id {value:?}")),
                },
                "--post" => post = Some(value),
                _ if name.starts_with('-') => return Err(format!("unknown option {name}")),
                _ if url.is_some() => return Err(format!("one URL is enough: {arg:?}")),
                _ => url = Some(parse_url(&arg)?),
            }
        }

        match url {
            Some(url) => {
                let options = Options { url, headers, last_event_id, post, json, comments };
                Ok(Command::Follow(Box::new(options)))
            }
            None if any => Err("a URL is missing".to_owned()),
            None => Ok(Command::Demo),
        }
    }
}

fn is_flag(name: &str) -> bool {
    matches!(name, "--json" | "--comments" | "--help")
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

/// Parses a header. Its errors do not contain the value, which may be a secret.
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
    fn no_argument_is_the_demo_and_help_is_help() {
        assert!(matches!(parse(&[]), Ok(Command::Demo)));
        for help in [&["--help"][..], &["-h"], &["http://x/", "--json", "--help"]] {
            assert!(matches!(parse(help), Ok(Command::Help)), "{help:?}");
        }
    }

    #[test]
    fn every_option_is_understood_before_and_after_the_url() {
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
        assert_eq!(options.post.as_deref(), Some("--json"), "the value of an option is no option");
        assert!(options.json && !options.comments);
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (args, complaint) in [
            (&["--follow"][..], "unknown option --follow"),
            (&["-f"], "unknown option -f"),
            (&["--follow=1"], "unknown option --follow"),
            (&["--json=yes"], "--json takes no value"),
            (&["--json"], "a URL is missing"),
            (&["--post"], "--post needs a value"),
            (&["http://a/", "http://b/"], "one URL is enough: \"http://b/\""),
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
