//! What the tests of the running binary share.
//!
//! Answers how an agent is started on free ports, asked and ended. Does not assert. Everything waits by looking again until a
//! deadline, because a busy machine is slow and never wrong.

#![allow(dead_code, reason = "each test binary uses a part of this")]

pub(crate) mod delivery;
pub(crate) mod scale_endpoint;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Anything that should happen has happened by then, also on a machine that builds something else.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A manifest on which every door takes a free port; `more` is added under `spec`, indented by two spaces.
pub(crate) fn manifest(more: &str) -> String {
    format!(
        "apiVersion: homeostat.dev/v1alpha1
kind: ObservabilityManifest
metadata:
  name: test
spec:
  receivers:
    otlpGrpc: 127.0.0.1:0
    otlpHttp: 127.0.0.1:0
    remoteSamplingHttp: 127.0.0.1:0
    remoteSamplingGrpc: 127.0.0.1:0
  api:
    address: 127.0.0.1:0
  telemetry:
    metricsAddress: 127.0.0.1:0
{more}"
    )
}

/// The binary, without the environment of whoever runs the tests.
pub(crate) fn homeostat() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homeostat"));
    command.env_remove("HOMEOSTAT_API").env_remove("HOMEOSTAT_STATE_DIR").env_remove("RUST_LOG");
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn ended(args: &[&str]) -> Output {
    homeostat().args(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Does `work` again and again for about this long.
#[expect(clippy::disallowed_methods, reason = "a real process is watched, so real time passes")]
pub(crate) fn for_about(span: Duration, mut work: impl FnMut()) {
    let until = Instant::now() + span;
    while Instant::now() < until {
        work();
    }
}

/// Looks until `look` finds something.
#[expect(clippy::disallowed_methods, reason = "a real process is watched, so real time passes")]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {SOON:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running agent, killed when dropped.
pub(crate) struct Running {
    child: Child,
    doors: Value,
    dir: PathBuf,
}

impl Running {
    /// Starts an agent with `text` as its manifest and `dir` as its state directory, and waits until it is ready.
    pub(crate) fn start(dir: &Path, text: &str) -> Running {
        Running::start_with(dir, text, &[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(dir: &Path, text: &str, more: &[&str]) -> Running {
        std::fs::create_dir_all(dir).unwrap();
        let (manifest, doors) = (dir.join("manifest.yaml"), dir.join("doors.json"));
        std::fs::write(&manifest, text).unwrap();
        let _old = std::fs::remove_file(&doors);
        let log = std::fs::File::options().create(true).append(true).open(dir.join("log")).unwrap();
        let mut child = homeostat()
            .args(["run", "--manifest"])
            .arg(&manifest)
            .arg("--state-dir")
            .arg(dir)
            .args(more)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let doors = eventually("doors.json", || {
            let died = child.try_wait().unwrap();
            assert!(died.is_none(), "the agent died: {}", std::fs::read_to_string(dir.join("log")).unwrap());
            serde_json::from_str(&std::fs::read_to_string(&doors).ok()?).ok()
        });
        let running = Running { child, doors, dir: dir.to_owned() };
        if running.doors["api"].is_string() {
            eventually("readiness", || running.get("/readyz").ok().filter(|(status, _)| *status == 200));
        }
        running
    }

    /// The address of a door.
    pub(crate) fn door(&self, name: &str) -> SocketAddr {
        self.doors[name].as_str().unwrap().parse().unwrap()
    }

    /// The API as the command line wants it.
    pub(crate) fn api(&self) -> String {
        format!("http://{}", self.door("api"))
    }

    /// What the agent has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap()
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the API.
    pub(crate) fn get(&self, path: &str) -> std::io::Result<(u16, String)> {
        exchange(self.door("api"), "GET", path, &[], "")
    }

    /// The status.
    pub(crate) fn status(&self) -> Value {
        let (code, body) = self.get("/v1/status").unwrap();
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The status, if somebody answers.
    pub(crate) fn try_status(&self) -> Option<Value> {
        self.get("/v1/status").ok().and_then(|(_, body)| serde_json::from_str(&body).ok())
    }

    /// Sends one trace of one request of `service`.
    pub(crate) fn send_request(&self, service: &str, id: u64, failed: bool) -> std::io::Result<u16> {
        let body = traces(service, &[(id, failed)]).to_string();
        let headers = [("content-type", "application/json")];
        Ok(exchange(self.door("otlp_http"), "POST", "/v1/traces", &headers, &body)?.0)
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status().unwrap();
        assert!(sent.success());
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        eventually("the end", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Traces of one server span each, in OTLP's JSON form.
#[expect(clippy::disallowed_methods, reason = "spans carry wall-clock times")]
pub(crate) fn traces(service: &str, requests: &[(u64, bool)]) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let span = |&(id, failed): &(u64, bool)| {
        json!({
            "traceId": format!("{:016x}{:016x}", 0x5eed_u64, id + 1),
            "spanId": format!("{:016x}", id + 1),
            "name": "GET /",
            "kind": 2,
            "startTimeUnixNano": (now - 5_000_000).to_string(),
            "endTimeUnixNano": now.to_string(),
            "status": { "code": if failed { 2 } else { 1 } },
        })
    };
    let spans: Vec<Value> = requests.iter().map(span).collect();
    let name = json!([{ "key": "service.name", "value": { "stringValue": service } }]);
    json!({ "resourceSpans": [{ "resource": { "attributes": name }, "scopeSpans": [{ "spans": spans }] }] })
}

/// One HTTP/1.1 exchange over a connection of its own.
pub(crate) fn exchange(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        request += &format!("host: {to}\r\n");
    }
    headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
    stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let garbled = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "no whole answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(garbled)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(garbled)?;
    Ok((status, body.to_owned()))
}
