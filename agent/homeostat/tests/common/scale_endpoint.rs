//! A service that can be scaled, as the agent sees it.
//!
//! Answers `GET` with its replicas and utilisation, takes `PUT`, and remembers every request id it was sent. It is the only
//! witness of what the agent really did.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What it knows.
#[derive(Debug)]
struct State {
    replicas: u64,
    utilization: f64,
    requests: Vec<(String, u64)>,
}

/// A scale endpoint on a free port; ends with the test process.
pub(crate) struct ScaleEndpoint {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl ScaleEndpoint {
    /// One that starts with `replicas` and is always as busy as `utilization` says.
    pub(crate) fn start(replicas: u64, utilization: f64) -> ScaleEndpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { replicas, utilization, requests: Vec::new() }));
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

    pub(crate) fn url(&self) -> String {
        format!("http://{}/scale", self.address)
    }

    /// Every request id with the replicas it asked for, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<(String, u64)> {
        self.state.lock().unwrap().requests.clone()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let is_put = line.starts_with("PUT");
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
        let answer = answer(is_put, &body, &mut state.lock().unwrap());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        write!(stream, "{head}content-length: {}\r\n\r\n{answer}", answer.len())?;
    }
}

fn answer(is_put: bool, body: &[u8], state: &mut State) -> String {
    if is_put && let Ok(wanted) = serde_json::from_slice::<Value>(body) {
        state.replicas = wanted["replicas"].as_u64().unwrap();
        state.requests.push((wanted["request_id"].as_str().unwrap().to_owned(), state.replicas));
    }
    json!({ "replicas": state.replicas, "utilization": state.utilization }).to_string()
}
