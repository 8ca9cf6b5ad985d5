//! Mail: over SMTP to a real socket, into the folder, and what cannot be smuggled into it.

use chrono::TimeDelta;
use kontor::{
    base::{Clock, Error, text::EmailAddress},
    mail::{
        Config, Mail, Mailer,
        template::{Invitation, PasswordReset},
    },
};
use uuid::Uuid;

use crate::support::{
    database::install_crypto,
    folder::Folder,
    smtp::{Answers, SmtpServer},
};

fn mail() -> Mail {
    let content = PasswordReset {
        name: "Anna Müller",
        link: "https://kontor.example/reset?secret=abc&x=1",
        valid_for: TimeDelta::hours(1),
    }
    .render();
    Mail {
        id: Uuid::now_v7(),
        to: EmailAddress::parse("anna@example.com").expect("an address"),
        to_name: Some("Anna Müller".to_owned()),
        subject: content.subject,
        text: content.text,
        html: content.html,
    }
}

fn mailer(url: Option<String>, folder: &Folder) -> Mailer {
    install_crypto();
    let config = Config {
        url: url.map(Into::into),
        from: "Kontor Büro <office@kontor.example>".to_owned(),
        timeout_seconds: 5,
        folder: None,
    };
    assert!(!format!("{config:?}").contains("hunter2"), "no log may show the password");
    Mailer::new(&config, folder.path(), Clock::default()).expect("valid")
}

/// The headers of a message, one per line.
fn headers(message: &str) -> Vec<String> {
    let (head, _) = message.split_once("\r\n\r\n").expect("headers and a body");
    head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect()
}

fn header<'a>(headers: &'a [String], name: &str) -> &'a str {
    let named: Vec<_> = headers.iter().filter_map(|header| header.strip_prefix(&format!("{name}: "))).collect();
    let [value] = named[..] else { panic!("{name} stands {} times in {headers:#?}", named.len()) };
    value
}

#[tokio::test]
async fn a_mail_arrives_at_the_server_as_it_was_written() {
    let (server, folder) = (SmtpServer::start(&[]).await, Folder::new());
    let url = format!("smtp://user:hunter2@127.0.0.1:{}?tls=none", server.port);
    let (mailer, mail) = (mailer(Some(url), &folder), mail());
    mailer.send(&mail).await.expect("sent");
    mailer.send(&mail).await.expect("sent again");

    let deliveries = server.deliveries();
    assert_eq!(deliveries.len(), 2);
    let commands = &deliveries[0].commands;
    assert!(commands.iter().any(|command| command.starts_with("AUTH PLAIN")), "{commands:?}");
    assert!(commands.iter().any(|command| command.starts_with("MAIL FROM:<office@kontor.example>")), "{commands:?}");
    assert!(commands.iter().any(|command| command.starts_with("RCPT TO:<anna@example.com>")), "{commands:?}");
    let first = headers(&deliveries[0].message);
    let second = headers(&deliveries[1].message);
    let id = header(&first, "Message-ID");
    assert_eq!(id, format!("<{}@kontor.example>", mail.id));
    assert_eq!(id, header(&second, "Message-ID"), "an attempt repeated is the same mail");
    assert_eq!(header(&first, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&first, "Subject"), "Choose a new password");
    assert!(header(&first, "To").ends_with("<anna@example.com>"));
    assert!(header(&first, "Content-Type").starts_with("multipart/alternative"));
    assert!(!header(&first, "Date").is_empty());
    let (text, html) = (deliveries[0].message.find("text/plain"), deliveries[0].message.find("text/html"));
    assert!(text.expect("text") < html.expect("HTML"), "the last alternative is the one shown");
}

#[tokio::test]
async fn refusals_are_final_and_delays_are_not() {
    let cases: &[(Answers, bool, &str)] = &[
        (&[("RCPT", "550 no such user here")], true, "no such user here"),
        (&[("MAIL", "553 sender not allowed")], true, "sender not allowed"),
        (&[("RCPT", "451 greylisted, come again")], false, "greylisted"),
        (&[("DATA", "421 going down")], false, "going down"),
        (&[("AUTH", "535 wrong password")], false, "sign-in"),
    ];
    for (answers, last, says) in cases {
        let (server, folder) = (SmtpServer::start(answers).await, Folder::new());
        let url = format!("smtp://user:hunter2@127.0.0.1:{}?tls=none", server.port);
        let error = mailer(Some(url), &folder).send(&mail()).await.expect_err("refused");
        assert_eq!(matches!(error, Error::Invalid(_)), *last, "{error:?}");
        assert_eq!(matches!(error, Error::Unavailable(_)), !*last, "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(server.deliveries().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_offers_no_encryption_is_unavailable() {
    let folder = Folder::new();
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let error = mailer(Some(format!("smtp://127.0.0.1:{unused}")), &folder).send(&mail()).await.expect_err("nobody");
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");

    // with a password and nothing said, the mail does not go out in the clear
    let server = SmtpServer::start(&[]).await;
    let url = format!("smtp://user:hunter2@127.0.0.1:{}", server.port);
    let error = mailer(Some(url), &folder).send(&mail()).await.expect_err("no encryption offered");
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(server.deliveries().is_empty());
}

#[tokio::test]
async fn without_a_server_mail_lies_in_the_folder() {
    let folder = Folder::new();
    let (mailer, mail) = (mailer(None, &folder), mail());
    mailer.send(&mail).await.expect("written");
    mailer.send(&mail).await.expect("written again");
    let names: Vec<_> = std::fs::read_dir(folder.path().join("mail"))
        .expect("the folder")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("a name"))
        .collect();
    assert_eq!(names, [format!("{}.eml", mail.id)]);
    let message = std::fs::read_to_string(folder.path().join("mail").join(&names[0])).expect("readable");
    assert_eq!(header(&headers(&message), "Subject"), "Choose a new password");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join("mail")).expect("the folder").permissions().mode();
        assert_eq!(mode & 0o077, 0, "the links in there are nobody else's business");
    }
}

#[tokio::test]
async fn no_value_breaks_out_of_its_header() {
    let folder = Folder::new();
    let mailer = mailer(None, &folder);
    for (number, breaks) in
        ["\r\n", "\n", "\r", "\r\n\r\n", "\u{0}\r\n", "\u{2028}", "\r\n ", "é\r\n"].iter().enumerate()
    {
        let evil = format!("x{breaks}Bcc: evil@example.com{breaks}Subject: other");
        let mail = Mail { id: Uuid::now_v7(), to_name: Some(evil.clone()), subject: evil, ..mail() };
        mailer.send(&mail).await.expect("written");
        let path = folder.path().join(format!("mail/{}.eml", mail.id));
        let message = std::fs::read_to_string(path).expect("readable");
        let headers = headers(&message);
        let names: Vec<_> = headers.iter().map(|header| header.split(':').next().unwrap_or_default()).collect();
        let expected =
            ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"];
        assert_eq!(names, expected, "case {number}");
    }
}

#[test]
fn names_in_templates_are_text_and_nothing_else() {
    let content = Invitation {
        workspace: "<img src=x onerror=alert(1)> & \"Sons\"",
        inviter: "Eve\r\n\r\nYou won'\u{202e}t",
        link: "https://kontor.example/join?a=1&b=\"><script>",
        valid_for: TimeDelta::days(7),
    }
    .render();
    assert!(!content.html.contains("<img") && !content.html.contains("<script"), "{}", content.html);
    assert!(content.html.contains("&lt;img src=x onerror=alert(1)&gt; &amp; &quot;Sons&quot;"));
    assert!(content.html.contains("href=\"https://kontor.example/join?a=1&amp;b=&quot;&gt;&lt;script&gt;\""));
    assert_eq!(content.subject, "Eve You won't invites you to <img src=x onerror=alert(1)> & \"Sons\"");
    assert!(content.text.contains("Eve You won't invites you"), "a name stays on its line");
    assert!(content.text.contains("https://kontor.example/join?a=1&b=\"><script>"), "the text has the link as it is");
    for remote in ["src=", "url(", "<link", "@import"] {
        assert!(!content.html.replace("img src=x", "").contains(remote), "nothing is loaded: {remote}");
    }
    assert!(content.html.contains("lang=\"en\"") && content.text.contains("7 days"));
}

#[test]
fn a_wrong_sender_is_refused_at_the_start() {
    let folder = Folder::new();
    let config = Config { from: "nobody".to_owned(), ..Config::default() };
    let refused = Mailer::new(&config, folder.path(), Clock::default()).err();
    assert!(matches!(refused, Some(Error::Invalid(_))), "{refused:?}");
    Mailer::new(&Config::default(), folder.path(), Clock::default()).expect("the default works");
}
