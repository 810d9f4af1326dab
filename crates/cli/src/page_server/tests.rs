use super::*;
use chainrule_report::{CurveSeries, RunProgress, RunReport, Thumbnail};
use std::fs::File;

fn server() -> PageServer {
    PageServer::start(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

/// What is answered to these bytes.
fn asked(server: &PageServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn path(server: &PageServer) -> String {
    format!("/{}/", server.shared.token)
}

#[test]
fn the_page_is_there_for_who_knows_its_address() {
    let server = server();
    assert!(server.address.ip().is_loopback());
    server.show(|version| format!("<p>version {version}"));
    server.show(|version| format!("<p>version {version}"));
    let path = path(&server);
    assert_eq!(server.url(), format!("http://{}{path}", server.address));
    let page = asked(&server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\n<p>version 2"), "{page}");
    assert!(page.contains("ETag: \"2\"\r\n") && page.contains("Content-Length: 12\r\n"));
    let same = asked(&server, &format!("GET {path} HTTP/1.1\r\nif-none-match: \"2\"\r\n\r\n"));
    assert!(same.starts_with("HTTP/1.1 304") && same.ends_with("\r\n\r\n"), "{same}");
    let again = asked(&server, &format!("GET {path} HTTP/1.1\r\nIf-None-Match: \"1\"\r\n\r\n"));
    assert!(again.ends_with("<p>version 2"), "{again}");
}

#[test]
fn nobody_else_gets_anything() {
    let server = server();
    server.show(|_| "secret".into());
    let own = path(&server);
    // As long as the right one, with one digit changed.
    let changed = |index: usize| {
        let other = if &own[index..=index] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &own[..index], &own[index + 1..])
    };
    let [first, last] = [changed(1), changed(own.len() - 2)];
    assert!(first.len() == own.len() && first != own && last != own && first != last);
    for path in ["/", "//", "/x/", &first, &last, &own[..own.len() - 1], &format!("{own}x"), "/..", "*"] {
        let answer = asked(&server, &format!("GET {path} HTTP/1.1\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("secret"), "{path}: {answer}");
    }
    let posted = asked(&server, &format!("POST {own} HTTP/1.1\r\n\r\n"));
    assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
    assert!(asked(&server, "no request\r\n\r\n").starts_with("HTTP/1.1 400"));
    let long = format!("GET {own} HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    assert!(asked(&server, &long).starts_with("HTTP/1.1 400"));
    // A head that does not end is not read on, and gets no answer; what is not read may close the connection at once.
    let mut endless = TcpStream::connect(server.address).unwrap();
    let _ = endless.write_all(format!("GET {own} HTTP/1.1\r\na: {}", "b".repeat(17 << 10)).as_bytes());
    let begin = Instant::now();
    let mut answer = Vec::new();
    let _ = endless.read_to_end(&mut answer);
    assert!(answer.is_empty() && begin.elapsed() < PATIENCE, "{answer:?}");
    assert!(asked(&server, "GET /favicon.ico HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 204"));
    assert_ne!(server.shared.token, self::server().shared.token);
}

#[test]
fn a_silent_connection_keeps_nobody_waiting() {
    let server = server();
    server.show(|_| "page".into());
    let silent: Vec<_> = (0..8).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let begin = Instant::now();
    let request = format!("GET {} HTTP/1.1\r\n\r\n", path(&server));
    assert!(asked(&server, &request).ends_with("page"));
    assert!(begin.elapsed() < PATIENCE);
    drop(silent);
}

/// Who reads a little at a time does not keep a connection for longer.
#[test]
fn an_answer_takes_no_longer_than_it_may() {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let mut reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let reading = thread::spawn(move || {
        let mut part = [0; 16 << 10];
        while reader.read(&mut part).is_ok_and(|read| read > 0) {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let begin = Instant::now();
    let patience = Duration::from_millis(300);
    // More than the system takes.
    let error = write(&mut stream, &vec![7; 32 << 20], begin, patience).unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "{error}");
    assert!(begin.elapsed() >= patience && begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    drop(stream);
    drop(reading);
}

/// A page that cannot be made is said to be none, as often as it is asked for, and keeps no connection.
#[test]
fn a_page_that_fails_is_an_error() {
    let server = server();
    let request = format!("GET {} HTTP/1.1\r\n\r\n", path(&server));
    for _ in 0..=CONNECTIONS / 2 {
        server.show(|_| panic!("on purpose"));
        for _ in 0..2 {
            let answer = asked(&server, &request);
            assert!(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{answer}");
            assert!(answer.contains("text/plain") && !answer.contains("ETag"), "{answer}");
            assert!(answer.ends_with(&format!("\r\n\r\n{NOT_DRAWN}")), "{answer}");
            assert_eq!(NOT_DRAWN.matches('\n').count(), 1);
        }
    }
    server.show(|_| "page".into());
    assert!(asked(&server, &request).ends_with("page"));
}

#[test]
fn the_address_is_one_that_this_machine_reaches() {
    let everywhere = PageServer::start(SocketAddr::from(([0, 0, 0, 0], 0))).unwrap();
    assert!(everywhere.url().starts_with("http://127.0.0.1:"), "{}", everywhere.url());
    everywhere.show(|_| "page".into());
    let mut stream = TcpStream::connect(everywhere.own_address()).unwrap();
    write!(stream, "GET {} HTTP/1.1\r\n\r\n", path(&everywhere)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("page"), "{answer}");
    // Where there is no IPv6, there is nothing to reach.
    if let Ok(server) = PageServer::start("[::]:0".parse().unwrap()) {
        assert!(server.url().starts_with("http://[::1]:"), "{}", server.url());
    }
}

/// Shows a page of a training after so many steps, and the next one when somebody gets it; the fourth is the last.
fn show_step(shared: &Arc<Shared>, step: u32) {
    let next = Arc::clone(shared);
    shared.show(Box::new(move |version| {
        let mut report = RunReport::new("A training");
        let points = (0..=step).map(|step| (f64::from(step), 2.0 / f64::from(step + 1)));
        report.curves = vec![CurveSeries::new("loss", "training", points)];
        report.figures = vec![("step".into(), format!("step {step}"))];
        report.settings = vec![("seed".into(), "7".into())];
        if step == 3 {
            report.confusion = vec![vec![5, 1], vec![0, 6]];
            report.weights = vec![Thumbnail::of_weights(2, &[0.5, -1.0, 0.0, 1.0], "unit 0")];
            return report.to_html();
        }
        show_step(&next, step + 1);
        let progress = RunProgress { share: f64::from(step) / 3.0, text: format!("step {step} of 3") };
        report.to_live_html(version, &progress)
    }));
}

/// In a browser the values of a page move, and at the end the report is there.
#[test]
fn a_browser_shows_what_changes() {
    let server = server();
    show_step(&server.shared, 0);
    let profile = tempfile::tempdir().unwrap();
    // Its output goes to files, which do not fill up as pipes do.
    let [page, log] = ["page", "log"].map(|name| profile.path().join(name));
    let browser = |name: &&str| {
        std::process::Command::new(name)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--enable-logging=stderr", "--virtual-time-budget=9000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
            .arg(server.url())
            .stdout(File::create(&page).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .ok()
    };
    let Some(mut browser) = ["chromium", "chromium-browser", "google-chrome"].iter().find_map(browser) else {
        println!("skipped: there is no Chromium");
        return;
    };
    let begin = Instant::now();
    while browser.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(60) {
            browser.kill().unwrap();
            browser.wait().unwrap();
            panic!("Chromium does not end: {}", std::fs::read_to_string(&log).unwrap_or_default());
        }
        thread::sleep(Duration::from_millis(50));
    }
    let [page, log] =
        [page, log].map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    assert!(page.contains("<dd>step 3</dd>") && !page.contains("step 0"), "{page}");
    assert_eq!(page.matches("<circle").count(), 4, "a point for each step");
    assert_eq!(page.matches("<svg").count(), 1, "the chart is the one that was there");
    assert!(page.contains("id=\"confusion\"") && page.contains("<canvas"), "{page}");
    assert!(page.contains("href=\"#confusion\"") && !page.contains("data-version="), "{page}");
    assert!(page.contains("This page loads nothing from elsewhere."), "{page}");
}

#[test]
fn who_watches_gets_the_last_page() {
    let server = server();
    server.show(|_| "first".into());
    let request = format!("GET {} HTTP/1.1\r\n\r\n", path(&server));
    assert!(asked(&server, &request).ends_with("first"));
    let address = server.address;
    let watching = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    server.finish("last".into());
    // As at the end of the program: who watches has got it by now.
    drop(server);
    assert!(watching.join().unwrap().ends_with("last"));
    // No page is open, so there is none to wait for.
    let begin = Instant::now();
    self::server().finish("last".into());
    assert!(begin.elapsed() < LAST);
}
