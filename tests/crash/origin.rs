//! An application that counts the bodies which reach it, and can keep silent about one.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::account::{Account, Entry};

/// Counts, answers 303, or keeps silent.
pub(super) struct Origin {
    address: SocketAddr,
    silent: Arc<Mutex<HashSet<String>>>,
}

impl Origin {
    /// Starts on a free port. Its threads end with the process.
    pub(super) fn start(account: Account) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let silent = Arc::new(Mutex::new(HashSet::new()));
        let shared = Arc::clone(&silent);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (account, silent) = (account.clone(), Arc::clone(&shared));
                std::thread::spawn(move || converse(stream, &account, &silent));
            }
        });
        Self { address, silent }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the body with this mark is taken and never answered.
    pub(super) fn stall(&self, mark: &str) {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).insert(mark.to_owned());
    }

    /// From now on it is answered.
    pub(super) fn answer(&self, mark: &str) {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).remove(mark);
    }
}

/// Serves one connection until it ends; anything unexpected ends it.
fn converse(stream: TcpStream, account: &Account, silent: &Mutex<HashSet<String>>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let body = request(&mut reader)?;
        let story = body.strip_prefix("story=").unwrap_or_default();
        let mark = story.split('+').next().unwrap_or_default().to_owned();
        if !mark.is_empty() {
            account.enter(Entry::Arrived(mark.clone()));
        }
        if silent.lock().unwrap_or_else(PoisonError::into_inner).contains(&mark) {
            // Until the proxy is killed.
            let _ = reader.read(&mut [0]);
            return None;
        }
        writer.write_all(ANSWER).ok()?;
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 303 See Other\r\nlocation: /thanks\r\ncontent-length: 0\r\n\r\n";

/// The whole body of the next request; empty for one without.
fn request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut length, mut chunked, mut line) = (0, false, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let field = line.trim_end().to_ascii_lowercase();
        if field.is_empty() {
            break;
        }
        if let Some(value) = field.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= field.starts_with("transfer-encoding:");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    while chunked {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk[..size]);
        chunked = size > 0;
    }
    String::from_utf8(body).ok()
}
