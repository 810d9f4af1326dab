//! The page in a browser without a screen, where there is one.

use std::path::Path;
use std::process::Command;

use crate::full;

/// The names under which Chromium is installed.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What the browser has made of a page: its elements, and what its console said.
fn opened(page: &str) -> Option<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("page.html");
    std::fs::write(&file, page).unwrap();
    BROWSERS.iter().find_map(|browser| dump(browser, &file, directory.path()))
}

fn dump(browser: &str, file: &Path, profile: &Path) -> Option<(String, String)> {
    let output = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args(["--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .ok()?;
    assert!(output.status.success(), "{browser}: {}", String::from_utf8_lossy(&output.stderr));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let console =
        text(&output.stderr).lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
    Some((text(&output.stdout), console))
}

#[test]
fn a_browser_draws_it_without_complaint() {
    for text in ["text ", "</script><img src=x onerror=\"document.title='broken'\">"] {
        let Some((elements, console)) = opened(&full(text).to_html()) else {
            println!("skipped: there is no Chromium");
            return;
        };
        assert_eq!(console, "");
        let count = |what: &str| elements.matches(what).count();
        // Ten charts: two of curves and the rate, three of scores, two of predictions, two of sizes; and those of scores and of
        // predictions again, of the two outputs. The graph is one as it comes.
        assert_eq!(count("<svg"), 10 + 5 + 1);
        assert_eq!(
            count("class=\"curve\""),
            4 + 1 + 2 * (3 + 3 + 1) + 2,
            "the lines of all charts but those of dots"
        );
        assert_eq!(count("<canvas"), 10);
        assert!(count("<circle") > 180, "the dots of the predictions");
        assert!(!elements.contains("NaN"));
        assert!(!elements.contains("<title>broken"));
    }
}
