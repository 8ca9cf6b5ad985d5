//! What a websocket costs: memory while it is idle, processor time per delivery, and the time from
//! an event to the client, with a toy schema, so that the transport alone is measured.
//!
//! `cargo bench --bench sockets [-- <sockets>]`. The server runs in a process of its own, so that
//! the operating system tells its memory and processor time apart from the clients'.

#[path = "../tests/it/support/toy.rs"]
#[allow(dead_code, clippy::expect_used, clippy::panic, reason = "shared with the tests, who use more of it")]
mod toy;

use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use kontor::{base::Limits, graphql::Timings};
use serde_json::json;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("server") => serve().await,
        sockets => measure(sockets.map_or(Ok(5_000), str::parse)?).await,
    }
}

/// Serves the toy; each line `<count> <pause in ms>` on standard input is that many ticks.
#[expect(clippy::print_stdout, reason = "the parent process reads it")]
async fn serve() -> Result<()> {
    let limits = Limits { sockets_per_user: usize::MAX, ..Limits::default() };
    let (toy, _, address) = toy::serve(limits, Timings::default()).await;
    println!("{address}");
    let ticks = tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let (count, pause) = line.split_once(' ').ok_or("two numbers")?;
            let pause = Duration::from_millis(pause.parse()?);
            for _ in 0..count.parse()? {
                toy.tick("a", now().to_string());
                std::thread::sleep(pause);
            }
        }
        Ok(())
    });
    ticks.await?
}

#[expect(clippy::print_stdout, reason = "this is what it is run for")]
async fn measure(sockets: usize) -> Result<()> {
    let mut server = Server::start()?;
    // the first few make what every server has once, threads and caches
    let warm = open_all(server.address, 50).await?;
    let empty = server.memory()?;
    let idle = open_all(server.address, sockets).await?;
    let full = server.memory()?;
    println!("{sockets} idle sockets: {} bytes of memory each", full.saturating_sub(empty) / sockets);
    drop(warm);

    let few = 1_000.min(sockets);
    let mut clients = Clients::default();
    let mut idle = idle.into_iter();
    clients.listen(idle.by_ref().take(few)).await?;
    let latencies = clients.after(&mut server, 50, 200).await?;
    println!("{few} subscribers, 5 events/s: event to client {}", percentiles(latencies));

    clients.listen(idle).await?;
    let subscribed = server.memory()?;
    println!("{sockets} subscribed sockets: {} bytes of memory each", subscribed.saturating_sub(empty) / sockets);
    let before = server.processor_time()?;
    let latencies = clients.after(&mut server, 25, 400).await?;
    let spent = (server.processor_time()? - before) / u32::try_from(latencies.len())?;
    let spread = percentiles(latencies);
    println!("{sockets} subscribers, 2.5 events/s: {spent:?} of processor time per delivery, event to client {spread}");

    let (before, began) = (server.processor_time()?, now());
    let delivered = clients.after(&mut server, 100, 0).await?.len();
    let seconds = Duration::from_nanos(now() - began).as_secs_f64();
    let spent = (server.processor_time()? - before) / u32::try_from(delivered)?;
    let rate = delivered as f64 / seconds;
    println!("{sockets} subscribers, 100 events at once: {rate:.0} deliveries/s, {spent:?} of processor time each");
    println!("{} bytes of memory per socket after that", server.memory()?.saturating_sub(empty) / sockets);
    Ok(())
}

/// Nanoseconds by the machine's clock, which both processes read.
#[expect(clippy::disallowed_methods, reason = "measures the machine, not a rule")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn percentiles(mut nanos: Vec<u64>) -> String {
    nanos.sort_unstable();
    let at = |share: usize| Duration::from_nanos(nanos[(nanos.len() - 1) * share / 100]);
    format!("p50 {:.1?}, p99 {:.1?}, at most {:.1?}", at(50), at(99), at(100))
}

struct Server {
    process: Child,
    commands: ChildStdin,
    address: SocketAddr,
}

impl Server {
    fn start() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut address)?;
        let commands = process.stdin.take().ok_or("no input")?;
        Ok(Self { process, commands, address: address.trim().parse()? })
    }

    /// Resident bytes.
    fn memory(&self) -> Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
    }

    /// User and system time so far.
    fn processor_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().collect();
        // in hundredths of a second on every Linux that matters
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn open_all(address: SocketAddr, count: usize) -> Result<Vec<Socket>> {
    futures_util::stream::iter(0..count)
        .map(|_| open(address))
        .buffer_unordered(64)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

async fn open(address: SocketAddr) -> Result<Socket> {
    let mut request = format!("ws://{address}/graphql").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let config = WebSocketConfig::default().read_buffer_size(2048).write_buffer_size(0);
    let (mut socket, _) = client_async_with_config(request, TcpStream::connect(address).await?, Some(config)).await?;
    let init = json!({ "type": "connection_init", "payload": { "authorization": "Bearer alice" } });
    socket.send(Message::text(init.to_string())).await?;
    socket.next().await.ok_or("closed")??;
    Ok(socket)
}

/// Subscribed clients that note how old each event is when it arrives.
#[derive(Default)]
struct Clients {
    count: usize,
    arrivals: Option<(mpsc::UnboundedSender<u64>, mpsc::UnboundedReceiver<u64>)>,
}

impl Clients {
    async fn listen(&mut self, sockets: impl Iterator<Item = Socket>) -> Result<()> {
        let (arrivals, _) = self.arrivals.get_or_insert_with(mpsc::unbounded_channel);
        let joined = Arc::new(AtomicUsize::new(0));
        let mut expected = 0;
        for socket in sockets {
            tokio::spawn(listen(socket, arrivals.clone(), Arc::clone(&joined)));
            expected += 1;
        }
        self.count += expected;
        while joined.load(Ordering::SeqCst) < expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Lets events happen; the ages at arrival, in nanoseconds, of all that were due.
    async fn after(&mut self, server: &mut Server, events: usize, pause_millis: u64) -> Result<Vec<u64>> {
        writeln!(server.commands, "{events} {pause_millis}")?;
        let (_, arrivals) = self.arrivals.as_mut().ok_or("nobody listens")?;
        let mut ages = Vec::with_capacity(events * self.count);
        while ages.len() < events * self.count {
            ages.push(timeout(Duration::from_secs(30), arrivals.recv()).await?.ok_or("closed")?);
        }
        Ok(ages)
    }
}

async fn listen(mut socket: Socket, arrivals: mpsc::UnboundedSender<u64>, joined: Arc<AtomicUsize>) -> Result<()> {
    let query = "subscription { ticks(topic: \"a\") { cursor number text } }";
    let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": query } });
    socket.send(Message::text(subscribe.to_string())).await?;
    let ask = json!({ "id": "2", "type": "subscribe", "payload": { "query": "{ hello }" } });
    socket.send(Message::text(ask.to_string())).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        if let Some((_, stamp)) = text.split_once("\"text\":\"") {
            let sent: u64 = stamp.split('"').next().unwrap_or_default().parse()?;
            arrivals.send(now() - sent)?;
        } else if text.contains("complete") {
            joined.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}
