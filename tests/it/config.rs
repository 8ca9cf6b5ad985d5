//! Settings: what is refused, and that secrets are taken as they are and never shown.

use std::process::Command;

use kontor::config::Config;
use serde_json::json;

use crate::support::folder::Folder;

fn load(text: &str) -> Result<Config, String> {
    let folder = Folder::new();
    let path = folder.path().join("kontor.toml");
    std::fs::write(&path, text).expect("written");
    Config::load(Some(&path), json!({})).map_err(|error| error.to_string())
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    for (setting, value) in [
        ("database_connections", "0"),
        ("demo_hours", "87841"),
        ("job_concurrency", "0"),
        ("auth.access_hours", "0"),
        ("auth.refresh_hours", "-1"),
        ("auth.cookie_hours", "9223372036854775807"),
        ("mail.timeout_seconds", "0"),
        ("limits.connections_per_address", "1000001"),
        ("limits.statement_seconds", "0"),
        ("limits.statement_seconds", "9223372036854775807"),
        ("limits.request_seconds", "0"),
        ("limits.sign_in_attempts", "0"),
        ("limits.unfinished_uploads_per_user", "0"),
        ("limits.sign_in_window_seconds", "9223372036854775807"),
        ("limits.import_batch_rows", "0"),
        ("limits.deleted_records_days", "0"),
        ("limits.file_days", "9223372036854775807"),
    ] {
        let refused = load(&format!("{setting} = {value}")).expect_err("refused");
        assert!(refused.starts_with(&format!("{setting} must be from ")), "{refused}");
    }
    load("limits.requests_per_minute = 0\nlimits.connections_per_address = 0\nlimits.file_days = 3660\nauth.access_hours = 1").expect("in range");
}

#[test]
fn a_secret_of_digits_is_one() {
    let config = load("admin_email = 'a@b.test'\nadmin_password = 12345678").expect("read");
    assert_eq!(config.admin_password.expect("a password").expose(), "12345678");
    let refused = load("admin_email = 'a@b.test'\nadmin_password = [12345678]").expect_err("refused");
    assert!(refused.contains("admin_password") && !refused.contains("12345678"), "{refused}");
}

/// A variable's value would be read as a number, a list or a table where it looks like one.
#[test]
fn secrets_in_variables_are_taken_as_they_are() {
    for password in ["12345678", "0012345678", "1234.5678", "[12345678", "{a=12345678}", "true"] {
        let output = Command::new(env!("CARGO_BIN_EXE_kontor"))
            .args(["doctor", "--data-dir", "/nowhere"])
            .env("KONTOR_ADMIN_EMAIL", "a@b.test")
            .env("KONTOR_ADMIN_PASSWORD", password)
            .env("KONTOR_SECRET", password)
            .env("KONTOR_LIMITS__STATEMENT_SECONDS", "0")
            .current_dir(std::env::temp_dir())
            .output()
            .expect("it runs");
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert_eq!(says.trim(), "kontor: limits.statement_seconds must be from 1 to 3600", "{password}");
    }
}
