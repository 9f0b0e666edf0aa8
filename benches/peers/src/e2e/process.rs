//! The parts of this program that run in separate processes, and their protocol: a line with an
//! order in, a line with an answer out.

use super::Failure;
use super::task::Task;
use crate::consumer::Tally;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The arguments that start this program as such a part.
pub(super) const SERVER: &str = "--e2e-server";
pub(super) const WORKER: &str = "--e2e-worker";

/// The maximum number of files that a process has open besides its connections.
const OTHER_FILES: u64 = 64;

/// Raises the limit of open files for this many connections, as far as the system allows it.
pub(super) fn allow_connections(connections: usize) -> Result<(), Failure> {
    let files = connections as u64 + OTHER_FILES;
    match rlimit::increase_nofile_limit(files)? {
        limit if limit < files => Err(format!(
            "{connections} connections take {files} open files, and the limit is {limit}"
        )
        .into()),
        _ => Ok(()),
    }
}

/// An order to a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Read a response until this much has arrived.
    Drain { url: String, goal: u64 },
    /// Hold this many idle connections.
    Hold { url: String, connections: usize },
}

/// The answer of a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Drained(Drained),
    /// The growth of the process in bytes.
    Held(u64),
    Failed(String),
}

/// One response, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drained {
    /// The amount received: events, or bytes if nothing is parsed.
    pub(super) progress: u64,
    pub(super) tally: Tally,
    /// The CPU time of the process, in user and kernel mode.
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
}

impl Order {
    fn line(&self) -> String {
        match self {
            Order::Drain { url, goal } => format!("drain {goal} {url}"),
            Order::Hold { url, connections } => format!("hold {connections} {url}"),
        }
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        let (order, rest) = line.split_once(' ')?;
        let (number, url) = rest.split_once(' ')?;
        let url = url.to_owned();
        match order {
            "drain" => Some(Order::Drain { url, goal: number.parse().ok()? }),
            "hold" => Some(Order::Hold { url, connections: number.parse().ok()? }),
            _ => None,
        }
    }
}

impl Answer {
    pub(super) fn line(&self) -> String {
        match self {
            Answer::Drained(Drained { progress, tally: Tally { events, sum }, cpu, wall }) => {
                let (cpu, wall) = (cpu.as_nanos(), wall.as_nanos());
                format!("drained {progress} {events} {sum} {cpu} {wall}")
            }
            Answer::Held(bytes) => format!("held {bytes}"),
            Answer::Failed(reason) => format!("failed {}", reason.replace('\n', " ")),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (answer, rest) = line.split_once(' ')?;
        if answer == "failed" {
            return Some(Answer::Failed(rest.to_owned()));
        }
        let mut numbers = rest.split(' ').map_while(|number| number.parse().ok());
        let mut next = || numbers.next();
        Some(match answer {
            "drained" => Answer::Drained(Drained {
                progress: next()?,
                tally: Tally { events: next()?, sum: next()? },
                cpu: Duration::from_nanos(next()?),
                wall: Duration::from_nanos(next()?),
            }),
            "held" => Answer::Held(next()?),
            _ => return None,
        })
    }
}

/// A running server. Dropping it stops the process.
#[derive(Debug)]
pub(super) struct Server {
    address: String,
    _process: Process,
}

impl Server {
    pub(super) fn start() -> Result<Self, Failure> {
        let mut process = Process::start(&[SERVER])?;
        Ok(Server { address: process.hear()?, _process: process })
    }

    pub(super) fn url(&self, task: &Task) -> String {
        self.url_of(&task.path())
    }

    pub(super) fn url_of(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// A running worker. Dropping it stops the process.
#[derive(Debug)]
pub(super) struct Worker(Process);

impl Worker {
    pub(super) fn start(client: &str) -> Result<Self, Failure> {
        Ok(Worker(Process::start(&[WORKER, client])?))
    }

    pub(super) fn ask(&mut self, order: &Order) -> Result<Answer, Failure> {
        writeln!(self.0.stdin, "{}", order.line())?;
        let line = self.0.hear()?;
        Answer::parse(&line).ok_or_else(|| format!("a worker said: {line}").into())
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(args: &[&str]) -> Result<Self, Failure> {
        let mut child = Command::new(env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("no standard input")?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        Ok(Process { child, stdin, stdout: BufReader::new(stdout) })
    }

    fn hear(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line)? {
            0 => Err("a process of the benchmark ended early".into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_answers_survive_their_lines() {
        let url = "http://127.0.0.1:1/x".to_owned();
        for order in
            [Order::Drain { url: url.clone(), goal: 7 }, Order::Hold { url, connections: 3 }]
        {
            assert_eq!(Order::parse(&order.line()), Some(order));
        }
        let drained = Drained {
            progress: 1,
            tally: Tally { events: 2, sum: u64::MAX },
            cpu: Duration::from_nanos(3),
            wall: Duration::from_nanos(4),
        };
        for answer in
            [Answer::Drained(drained), Answer::Held(5), Answer::Failed("it did, alas".into())]
        {
            assert_eq!(Answer::parse(&answer.line()), Some(answer));
        }
        assert_eq!(Order::parse("drain"), None);
        assert_eq!(Answer::parse("drained 1 2"), None);
    }
}
