//! A small mail server: takes what it is sent, or refuses as it was told to, or says nothing more.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// How the server answers, by the command; everything else is fine. An empty answer is none at all.
pub type Answers = &'static [(&'static str, &'static str)];

/// What one connection brought.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// The commands, in order.
    pub commands: Vec<String>,
    /// The message as it arrived, with `\r\n`.
    pub message: String,
}

pub struct SmtpServer {
    pub port: u16,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    waiting: Arc<AtomicUsize>,
}

impl SmtpServer {
    pub async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (deliveries, waiting) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (taken, unanswered) = (deliveries.clone(), waiting.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, answers, taken.clone(), unanswered.clone()));
            }
        });
        Self { port, deliveries, waiting }
    }

    /// How many have come so far to wait for an answer that they do not get.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// The messages that were taken.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().expect("not poisoned").clone()
    }
}

async fn serve(
    socket: TcpStream,
    answers: Answers,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    waiting: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    socket.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut delivery = Delivery::default();
    let mut line = String::new();
    loop {
        line.clear();
        if socket.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.trim_end().to_owned();
        delivery.commands.push(command.clone());
        let told = answers.iter().find(|(begins, _)| command.starts_with(begins)).map(|(_, answer)| *answer);
        let answer = match (told, command.split(' ').next().unwrap_or_default()) {
            (Some(answer), _) => answer,
            (None, "EHLO") => "250-mail.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN",
            (None, "AUTH") => "235 welcome",
            (None, "DATA") => "354 go on",
            (None, "QUIT") => "221 bye",
            (None, _) => "250 fine",
        };
        if answer.is_empty() {
            waiting.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        socket.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if answer.starts_with("354") {
            delivery.message = read_message(&mut socket).await?;
            deliveries.lock().expect("not poisoned").push(std::mem::take(&mut delivery));
            socket.write_all(b"250 taken\r\n").await?;
        }
    }
}

async fn read_message(socket: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut message = String::new();
    loop {
        let begin = message.len();
        if socket.read_line(&mut message).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if &message[begin..] == ".\r\n" {
            message.truncate(begin);
            return Ok(message);
        }
    }
}
