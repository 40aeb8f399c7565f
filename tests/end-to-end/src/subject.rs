//! A program that uses otel-vitals, as a child process that obeys one-line commands.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::env;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tempfile::TempDir;

use crate::waiting::{PATIENCE, wait_until};

/// Begins the lines of standard output that are answers; others are the subject's own, as of a console exporter.
pub(crate) const ANSWER: &str = "@answer ";

/// A subject about to be started, in an environment and a folder of its own.
#[derive(Debug)]
pub struct Launch {
    program: PathBuf,
    environment: Vec<(String, String)>,
    files: Vec<(String, String)>,
}

/// A running subject. Killed when dropped.
#[derive(Debug)]
pub struct Subject {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<Answer>,
    output: Arc<Mutex<String>>,
    /// What reads it.
    readers: Vec<JoinHandle<()>>,
    init: Answer,
    _folder: TempDir,
}

/// What a subject says of a command once it is done.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Answer {
    /// The error, as a user sees it.
    pub error: Option<String>,
    /// The error as `Debug` writes it, which begins with its variant.
    pub debug: Option<String>,
    /// How long the command took inside the subject.
    pub took: Duration,
    /// What the command gave.
    pub value: Value,
}

impl Launch {
    /// `program` with no environment but what every program has, and collections every 200 ms.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Launch { program: program.into(), environment: Vec::new(), files: Vec::new() }
            .env("OTEL_SERVICE_NAME", "subject")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "200")
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.environment.retain(|(set, _)| set != key);
        self.environment.push((key.to_owned(), value.into()));
        self
    }

    /// Sends over gRPC to `endpoint`.
    #[must_use]
    pub fn grpc(self, endpoint: impl Into<String>) -> Self {
        self.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    }

    /// Sends protobuf over HTTP to `endpoint`.
    #[must_use]
    pub fn http(self, endpoint: impl Into<String>) -> Self {
        self.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf").env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    }

    /// Puts a file into the folder in which the subject starts.
    #[must_use]
    pub fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// Starts it and waits until its `init` has returned.
    #[must_use]
    pub fn start(self) -> Subject {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in &self.files {
            std::fs::write(folder.path().join(name), content).expect("a file in a temporary folder");
        }
        let mut child = self.command(folder.path()).spawn().expect("the subject starts");
        let output = Arc::new(Mutex::new(String::new()));
        let (sender, answers) = channel();
        let readers = vec![
            read(child.stdout.take().expect("a pipe"), Some(sender), &output),
            read(child.stderr.take().expect("a pipe"), None, &output),
        ];
        let commands = child.stdin.take();
        let init = Answer { error: None, debug: None, took: Duration::ZERO, value: Value::Null };
        let mut subject = Subject { child, commands, answers, output, readers, init, _folder: folder };
        subject.init = subject.answer("init");
        subject
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env_clear();
        command.envs(
            ["PATH", "HOME", "LLVM_PROFILE_FILE"].iter().filter_map(|key| Some((key, env::var_os(key)?))),
        );
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Reads what the subject says, line by line, on a thread that ends with it.
fn read(
    pipe: impl Read + Send + 'static,
    answers: Option<Sender<Answer>>,
    output: &Arc<Mutex<String>>,
) -> JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            match (line.strip_prefix(ANSWER), &answers) {
                (Some(answer), Some(answers)) => {
                    let answer = serde_json::from_str(answer).expect("an answer");
                    // The test may be over.
                    let _ = answers.send(answer);
                }
                _ => {
                    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
                    output.push_str(&line);
                    output.push('\n');
                }
            }
        }
    })
}

impl Subject {
    /// What became of `init`.
    #[must_use]
    pub fn init(&self) -> &Answer {
        &self.init
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `command` and waits until it is done; see [`script`](crate::script) for what there is.
    pub fn tell(&mut self, command: &str) -> Answer {
        if let Some(error) = &self.init.error {
            panic!("there is nobody to {command:?}, because init failed: {error}");
        }
        let pipe = self.commands.as_mut().expect("the subject was not told to exit");
        writeln!(pipe, "{command}").and_then(|()| pipe.flush()).expect("the subject listens");
        self.answer(command)
    }

    /// What it wrote so far that is no answer, standard error included.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets `main` return and waits for the end of the process, and of what it wrote.
    pub fn finish(&mut self) -> ExitStatus {
        self.commands = None;
        let status =
            wait_until("the subject to end", || self.child.try_wait().expect("a child can be asked"));
        for reader in self.readers.drain(..) {
            reader.join().expect("what reads the output does not panic");
        }
        status
    }

    fn answer(&mut self, command: &str) -> Answer {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => panic!("{command:?} hangs; it said:\n{}", self.output()),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait();
                panic!("the subject ended at {command:?} with {status:?}; it said:\n{}", self.output())
            }
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// The answer, where there was no error.
    pub fn ok(self) -> Self {
        if let Some(error) = &self.error {
            panic!("failed after {:?}: {error}", self.took);
        }
        self
    }

    /// Whether it failed with an error of this variant.
    #[must_use]
    pub fn is(&self, variant: &str) -> bool {
        let debug = self.debug.as_deref().unwrap_or_default();
        debug.strip_prefix(variant).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    }
}
