//! What a build does, in lines that people know from `docker build --progress=plain`.

use std::collections::HashMap;

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};
use steading_core::log::LogSink;

/// Lines of a step that are kept for the message of its failure.
const KEPT: usize = 20;

/// The steps so far.
#[derive(Default)]
pub struct Progress {
    steps: HashMap<String, Step>,
    count: usize,
    failed: Option<String>,
}

#[derive(Default)]
struct Step {
    number: usize,
    name: String,
    started: bool,
    done: bool,
    /// Output after the last line end.
    partial: Vec<u8>,
    last: Vec<String>,
    transfers: HashMap<String, bool>,
}

impl Progress {
    /// Writes what is new.
    pub fn take(&mut self, status: StatusResponse, log: &dyn LogSink) {
        for vertex in status.vertexes {
            self.vertex(vertex, log);
        }
        for transfer in status.statuses {
            let Some(step) = self.steps.get_mut(&transfer.vertex) else { continue };
            let done = transfer.completed.is_some();
            if step.transfers.insert(transfer.id.clone(), done) != Some(done) && done && transfer.total > 0 {
                let megabytes = transfer.total / 1_000_000;
                log.write("build", &format!("#{} {} {megabytes} MB done", step.number, transfer.id));
            }
        }
        for line in status.logs {
            if let Some(step) = self.steps.get_mut(&line.vertex) {
                step.output(&line.msg, log);
            }
        }
    }

    /// What failed: the step and the last lines of its output.
    pub fn failure(&self) -> Option<String> {
        self.failed.clone()
    }

    fn vertex(&mut self, vertex: Vertex, log: &dyn LogSink) {
        let count = &mut self.count;
        let step = self.steps.entry(vertex.digest).or_insert_with(|| {
            *count += 1;
            Step { number: *count, name: vertex.name.clone(), ..Step::default() }
        });
        if vertex.started.is_some() && !step.started {
            step.started = true;
            log.write("build", &format!("#{} {}", step.number, step.name));
        }
        if vertex.completed.is_none() || step.done {
            return;
        }
        step.done = true;
        step.flush(log);
        if vertex.error.is_empty() {
            let seconds = vertex.started.zip(vertex.completed).map_or(0.0, |(from, to)| {
                #[expect(clippy::cast_precision_loss, reason = "seconds of a build")]
                let whole = (to.seconds - from.seconds) as f64;
                whole + f64::from(to.nanos - from.nanos) / 1e9
            });
            let how = if vertex.cached { "CACHED".to_owned() } else { format!("DONE {seconds:.1}s") };
            log.write("build", &format!("#{} {how}", step.number));
        } else if !vertex.error.contains("context canceled") {
            log.write("build", &format!("#{} ERROR: {}", step.number, vertex.error));
            let mut text = format!("{}: {}", step.name, vertex.error);
            for line in &step.last {
                text.push('\n');
                text.push_str(line);
            }
            self.failed.get_or_insert(text);
        }
    }
}

impl Step {
    fn output(&mut self, bytes: &[u8], log: &dyn LogSink) {
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.line(&line[..end], log);
        }
    }

    fn flush(&mut self, log: &dyn LogSink) {
        let rest = std::mem::take(&mut self.partial);
        if !rest.is_empty() {
            self.line(&rest, log);
        }
    }

    fn line(&mut self, bytes: &[u8], log: &dyn LogSink) {
        let text = String::from_utf8_lossy(bytes);
        // A progress bar draws over itself: its last state is the one to keep.
        let text = text.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        log.write("build", &format!("#{} {text}", self.number));
        if self.last.len() == KEPT {
            self.last.remove(0);
        }
        self.last.push(text.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bollard::moby::buildkit::v1::VertexLog;

    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl LogSink for Lines {
        fn write(&self, _stream: &str, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    fn vertex(completed: bool, cached: bool, error: &str) -> Vertex {
        let time = |seconds| {
            Some(serde_json::from_str::<i64>(seconds).unwrap()).map(|seconds| {
                let mut vertex = Vertex::default();
                vertex.started.get_or_insert_default().seconds = seconds;
                vertex.started.unwrap()
            })
        };
        Vertex {
            digest: "d".to_owned(),
            name: "[2/2] RUN make".to_owned(),
            started: time("10"),
            completed: completed.then(|| time("12")).flatten(),
            cached,
            error: error.to_owned(),
            ..Vertex::default()
        }
    }

    #[test]
    fn a_failure_names_its_step_and_what_it_printed() {
        let (lines, mut progress) = (Lines::default(), Progress::default());
        let logs = vec![
            VertexLog { vertex: "d".to_owned(), msg: b"one\ntw".to_vec(), ..VertexLog::default() },
            VertexLog { vertex: "d".to_owned(), msg: b"o\n10%\r100%\n".to_vec(), ..VertexLog::default() },
        ];
        progress.take(StatusResponse { vertexes: vec![vertex(false, false, "")], logs, ..Default::default() }, &lines);
        let end = vec![vertex(true, false, "exit code: 2")];
        progress.take(StatusResponse { vertexes: end, ..Default::default() }, &lines);
        assert_eq!(progress.failure().unwrap(), "[2/2] RUN make: exit code: 2\none\ntwo\n100%");
        assert_eq!(
            *lines.0.lock().unwrap(),
            ["#1 [2/2] RUN make", "#1 one", "#1 two", "#1 100%", "#1 ERROR: exit code: 2"]
        );
    }

    #[test]
    fn a_cached_step_says_so() {
        let (lines, mut progress) = (Lines::default(), Progress::default());
        progress.take(StatusResponse { vertexes: vec![vertex(true, true, "")], ..Default::default() }, &lines);
        assert_eq!(*lines.0.lock().unwrap(), ["#1 [2/2] RUN make", "#1 CACHED"]);
    }
}
