//! Services that can be scaled, as the agent sees them.
//!
//! Answers `GET /N` with the replicas and the utilisation of service `N`, takes `PUT /N`, and remembers every request id it was
//! sent. It is the only witness of what the agent really did.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a change takes: long enough that an agent is often killed before it has the answer.
const CHANGE_TAKES: Duration = Duration::from_millis(150);

/// What it knows.
#[derive(Debug)]
struct State {
    began: Instant,
    wakes_every: Duration,
    replicas: BTreeMap<u32, u64>,
    requests: Vec<(String, u64)>,
}

/// Scale endpoints on a free port; they end with the test process.
pub(crate) struct ScaleEndpoint {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl ScaleEndpoint {
    /// Endpoints of services with two replicas each. Service `N` becomes too busy `N` times `wakes_every` from now.
    #[expect(clippy::disallowed_methods, reason = "it stands for a program outside, in which real time passes")]
    pub(crate) fn start(wakes_every: Duration) -> ScaleEndpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { began: Instant::now(), wakes_every, replicas: BTreeMap::new(), requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // A client that is killed in the middle of a request is part of the test.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        ScaleEndpoint { address, state }
    }

    pub(crate) fn url(&self, service: u32) -> String {
        format!("http://{}/{service}", self.address)
    }

    /// Every request id with the replicas it asked for, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<(String, u64)> {
        self.state.lock().unwrap().requests.clone()
    }
}

#[expect(clippy::disallowed_methods, reason = "it stands for a program outside, in which real time passes")]
fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = answer(&line, &body, &mut state.lock().unwrap());
        if line.starts_with("PUT") {
            thread::sleep(CHANGE_TAKES);
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        write!(stream, "{head}content-length: {}\r\n\r\n{answer}", answer.len())?;
    }
}

#[expect(clippy::disallowed_methods, reason = "it stands for a program outside, in which real time passes")]
fn answer(line: &str, body: &[u8], state: &mut State) -> String {
    let path = line.split(' ').nth(1).unwrap().trim_start_matches('/');
    let service: u32 = path.parse().unwrap();
    let replicas = state.replicas.entry(service).or_insert(2);
    if line.starts_with("PUT")
        && let Ok(wanted) = serde_json::from_slice::<Value>(body)
    {
        *replicas = wanted["replicas"].as_u64().unwrap();
        state.requests.push((wanted["request_id"].as_str().unwrap().to_owned(), *replicas));
    }
    let is_busy = state.wakes_every * service <= state.began.elapsed();
    json!({ "replicas": *replicas, "utilization": if is_busy { 0.95 } else { 0.6 } }).to_string()
}
