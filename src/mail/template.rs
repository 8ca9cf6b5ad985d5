//! The texts of our mails. Plain words, one link, no pictures, nothing loaded from elsewhere; the
//! HTML says what the text says. Whatever people named something is escaped, on one line and cut.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::message::one_line;

/// Longest name that a mail repeats, in characters: a name is no place for a letter.
const LONGEST_NAME: usize = 80;

/// What a mail says, without to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Asks a person to join a workspace.
#[derive(Debug, Clone)]
pub struct Invitation<'a> {
    pub workspace: &'a str,
    /// Who invites.
    pub inviter: &'a str,
    /// Where to accept; whoever has it can.
    pub link: &'a str,
    pub valid_for: TimeDelta,
}

/// Lets a person choose a new password.
#[derive(Debug, Clone)]
pub struct PasswordReset<'a> {
    /// The person's own name.
    pub name: &'a str,
    pub link: &'a str,
    pub valid_for: TimeDelta,
}

/// Reminds a person of a task of theirs.
#[derive(Debug, Clone)]
pub struct TaskReminder<'a> {
    /// The person's own name.
    pub name: &'a str,
    /// What the task is called.
    pub title: &'a str,
    /// Until when, in words.
    pub due: Option<&'a str>,
    /// What the task is about, by its name.
    pub about: Option<&'a str>,
    pub workspace: &'a str,
    pub link: &'a str,
}

impl Invitation<'_> {
    pub fn render(&self) -> Content {
        let (workspace, inviter) = (name(self.workspace), name(self.inviter));
        Letter {
            subject: format!("{inviter} invites you to {workspace}"),
            before: vec![
                "Hello,".to_owned(),
                format!("{inviter} invites you to work in {workspace} on Kontor."),
                "To accept and choose a password, open this link:".to_owned(),
            ],
            action: "Accept the invitation",
            link: self.link,
            after: vec![format!(
                "The link works for {}. If you do not know why you got this mail, you need not do anything.",
                duration(self.valid_for)
            )],
        }
        .render()
    }
}

impl PasswordReset<'_> {
    pub fn render(&self) -> Content {
        Letter {
            subject: "Choose a new password".to_owned(),
            before: vec![
                format!("Hello {},", name(self.name)),
                "somebody, probably you, asked for a new password for your Kontor sign-in. To choose one, open this \
                 link:"
                    .to_owned(),
            ],
            action: "Choose a new password",
            link: self.link,
            after: vec![format!(
                "The link works once, for {}. If it was not you who asked, you need not do anything: your password \
                 stays as it is.",
                duration(self.valid_for)
            )],
        }
        .render()
    }
}

impl TaskReminder<'_> {
    pub fn render(&self) -> Content {
        let (title, workspace) = (name(self.title), name(self.workspace));
        let mut before =
            vec![format!("Hello {},", name(self.name)), format!("this is the reminder of your task \"{title}\".")];
        before.extend(self.due.map(|due| format!("It is due on {due}.")));
        before.extend(self.about.map(|about| format!("It is about {}.", name(about))));
        before.push("To see it, open this link:".to_owned());
        Letter {
            subject: format!("Reminder: {title}"),
            before,
            action: "Open the task",
            link: self.link,
            after: vec![format!(
                "You get this mail because the task is yours in {workspace}. To get none, clear the task's reminder."
            )],
        }
        .render()
    }
}

/// A few paragraphs around one link.
struct Letter<'a> {
    subject: String,
    before: Vec<String>,
    /// What the link does, in words.
    action: &'static str,
    link: &'a str,
    after: Vec<String>,
}

impl Letter<'_> {
    fn render(self) -> Content {
        let text = format!("{}\n\n{}\n\n{}\n", self.before.join("\n\n"), self.link, self.after.join("\n\n"));
        let html = self.html();
        Content { subject: self.subject, text, html }
    }

    fn html(&self) -> String {
        let link = escaped(self.link);
        // Writing to a String cannot fail.
        let mut body = String::new();
        for paragraph in &self.before {
            let _ = writeln!(body, "<p>{}</p>", escaped(paragraph));
        }
        let _ = writeln!(body, "<p><a href=\"{link}\">{}</a></p>", self.action);
        for paragraph in &self.after {
            let _ = writeln!(body, "<p>{}</p>", escaped(paragraph));
        }
        let _ = writeln!(body, "<p>If the link cannot be opened, copy this address:<br>{link}</p>");
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{}</title></head>\n<body style=\"font-family: sans-serif; \
             font-size: 16px; line-height: 1.5; max-width: 36em; margin: 1em auto; padding: 0 \
             1em\">\n{body}</body>\n</html>\n",
            escaped(&self.subject)
        )
    }
}

/// A name as people chose it, on one line, not too long, and without characters that turn the
/// direction of what stands around it.
fn name(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String = one_line(text).chars().filter(|c| !turns(*c)).collect();
    if plain.chars().count() <= LONGEST_NAME {
        return plain;
    }
    plain.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

/// In the largest unit that fits evenly: "7 days", "1 hour".
fn duration(time: TimeDelta) -> String {
    let minutes = time.num_minutes();
    let (count, unit) = match minutes {
        _ if minutes >= 2 * 24 * 60 && minutes % (24 * 60) == 0 => (minutes / (24 * 60), "day"),
        _ if minutes >= 60 && minutes % 60 == 0 => (minutes / 60, "hour"),
        _ => (minutes, "minute"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let read = |minutes| duration(TimeDelta::minutes(minutes));
        assert_eq!(read(7 * 24 * 60), "7 days");
        assert_eq!(read(24 * 60), "24 hours");
        assert_eq!(read(60), "1 hour");
        assert_eq!(read(90), "90 minutes");
    }

    #[test]
    fn long_names_are_cut() {
        let invitation = Invitation {
            workspace: &"w".repeat(500),
            inviter: "I",
            link: "https://kontor.example/invitations/x",
            valid_for: TimeDelta::days(7),
        };
        assert!(invitation.render().subject.chars().count() < 120);
    }
}
