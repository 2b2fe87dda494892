//! A peer in a Python process of its own, which answers a line for a line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::error::{BenchError, Result};

/// A running peer. It ends with this.
pub(crate) struct Python {
    name: String,
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What came of starting one.
pub(crate) enum Started {
    /// It runs, in this version.
    Ready(Python, String),
    /// It is not there, because of this.
    Absent(String),
}

impl Python {
    pub(crate) fn start(
        python: &Path,
        name: &str,
        script: &str,
        arguments: &[&str],
    ) -> Result<Started> {
        let spawned = Command::new(python)
            .args(["-c", script])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Warnings of packages are not ours to show.
            .stderr(Stdio::null())
            .spawn();
        let mut process = match spawned {
            Ok(process) => process,
            Err(error) => return Ok(Started::Absent(format!("`{}`: {error}", python.display()))),
        };
        let (Some(questions), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(BenchError::peer(name, "it cannot be spoken to"));
        };
        let mut peer = Self {
            name: name.to_owned(),
            process,
            questions,
            answers: BufReader::new(answers),
        };
        let hello = peer.answer()?;
        if let Some(package) = hello["missing"].as_str() {
            return Ok(Started::Absent(format!(
                "the package `{package}` is missing"
            )));
        }
        let version = hello["version"].as_str().unwrap_or("unknown").to_owned();
        Ok(Started::Ready(peer, version))
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, question: &Value) -> Result<Value> {
        writeln!(self.questions, "{question}")
            .and_then(|()| self.questions.flush())
            .map_err(|error| BenchError::peer(&self.name, error))?;
        self.answer()
    }

    /// Asks for one number.
    pub(crate) fn number(&mut self, question: &Value, name: &str) -> Result<f64> {
        let answer = self.ask(question)?;
        let number = answer[name].as_f64();
        number.ok_or_else(|| BenchError::peer(&self.name, format!("it did not say `{name}`")))
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .map_err(|error| BenchError::peer(&self.name, error))?;
        if line.is_empty() {
            return Err(BenchError::peer(&self.name, "it ended"));
        }
        let answer: Value = serde_json::from_str(&line)
            .map_err(|_| BenchError::peer(&self.name, "its answer is no JSON"))?;
        match answer["error"].as_str() {
            Some(error) => Err(BenchError::peer(&self.name, error)),
            None => Ok(answer),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn a_python_that_is_not_there_is_absent() {
        let started = Python::start(Path::new("/no/such/python"), "a peer", "", &[]);
        assert!(matches!(started, Ok(Started::Absent(_))));
    }

    #[test]
    fn a_package_that_is_not_there_is_absent_and_an_error_is_one() {
        let python = Path::new("python3");
        let missing = "import json\nprint(json.dumps({'missing': 'nothing'}))";
        match Python::start(python, "a peer", missing, &[]) {
            Ok(Started::Absent(why)) if why.contains("nothing") || why.contains("python3") => {}
            _ => panic!("not absent"),
        }
        let breaks = "import json\nprint(json.dumps({'version': '1'}), flush=True)\ninput()\nprint(json.dumps({'error': 'no'}))";
        if let Ok(Started::Ready(mut peer, version)) = Python::start(python, "a peer", breaks, &[])
        {
            assert_eq!(version, "1");
            let error = peer.ask(&serde_json::json!({})).expect_err("an error");
            assert_eq!(error.code(), "BENCH_PEER");
        }
    }
}
