//! Load over HTTP: connections that are kept open and ask one thing after the other. Bytes in,
//! bytes out: a client library would cost more than the server that is measured.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Result, machine::Process, report::Spread};

/// Makes the n-th request, as bytes on the wire.
pub type Requests = Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

/// Whose processor time counts.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    pub server: Process,
    pub database: Process,
}

/// What a run of requests showed.
#[derive(Debug, Clone)]
pub struct Measured {
    pub per_second: f64,
    pub latency: Spread,
    /// Per request.
    pub server: Duration,
    pub database: Duration,
}

/// Sends requests on so many connections for a while.
pub async fn run(
    address: &str,
    connections: usize,
    for_seconds: f64,
    watched: Watched,
    requests: Requests,
) -> Result<Measured> {
    let server = watched.server.processor_time()?;
    let database = watched.database.family_time()?;
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(for_seconds);
    let workers = (0..connections).map(|worker| {
        let (address, requests) = (address.to_owned(), Arc::clone(&requests));
        tokio::spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut times = Vec::new();
            let mut number = worker;
            while Instant::now() < until {
                let asked = Instant::now();
                connection.ask(&requests(number)).await?;
                times.push(asked.elapsed());
                number += connections;
            }
            Ok::<_, crate::Failure>(times)
        })
    });
    let mut times = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        times.extend(worker.await??);
    }
    let seconds = began.elapsed().as_secs_f64();
    let count = u32::try_from(times.len())?.max(1);
    Ok(Measured {
        per_second: f64::from(count) / seconds,
        latency: Spread::of(times),
        server: (watched.server.processor_time()? - server) / count,
        database: (watched.database.family_time()? - database) / count,
    })
}

/// One connection that is kept open.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// The body of the answer; anything but a success is an error.
    pub async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (head, length) = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.buffer[..end])?;
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
                });
                break (end + 4, length.ok_or("an answer without content-length")?);
            }
            self.read().await?;
        };
        while self.buffer.len() < head + length {
            self.read().await?;
        }
        let body = &self.buffer[head..head + length];
        if !self.buffer.starts_with(b"HTTP/1.1 2") || find(body, b"\"errors\":[{\"message\"").is_some() {
            return Err(String::from_utf8_lossy(&self.buffer).into_owned().into());
        }
        Ok(body)
    }

    async fn read(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the connection ended".into());
        }
        Ok(())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A GET as bytes.
pub fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// A POST of JSON as bytes.
pub fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
