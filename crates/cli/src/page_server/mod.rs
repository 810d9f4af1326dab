//! A page for a browser, served while it changes.
//!
//! One page at one address, which has a random token in it: `GET /TOKEN/`. Whoever does not know the token gets nothing, so neither another
//! user of the machine nor a page from elsewhere in the same browser can read it. Requests are read by `httparse`; every connection takes one.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest head of a request that is read, in bytes.
const HEAD: usize = 16 << 10;

/// The most headers of a request.
const HEADERS: usize = 64;

/// How long a connection may take for its request.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection may take for reading the answer, which may be megabytes.
const ANSWERING: Duration = Duration::from_secs(30);

/// The most connections at a time; more are closed.
const CONNECTIONS: usize = 32;

/// A browser that has asked within this time still shows the page.
const RECENT: Duration = Duration::from_secs(3);

/// How long those who watch have for asking for the last page.
const LAST: Duration = Duration::from_secs(5);

/// How long others have to ask for the last page, after the first one did.
const OTHERS: Duration = Duration::from_millis(1500);

/// Serves a page until it is dropped.
pub struct PageServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the threads share.
struct Shared {
    token: String,
    shown: Mutex<Shown>,
    /// Held while a page is made, which does not keep a new one from being shown.
    making: Mutex<()>,
    connections: AtomicUsize,
    is_stopped: AtomicBool,
}

/// What is shown.
struct Shown {
    version: u64,
    page: Page,
    is_last: bool,
    /// When somebody has last asked for it.
    asked: Option<Instant>,
    /// When somebody first got the last page.
    got_last: Option<Instant>,
}

/// Makes a page of its version.
type MakePage = Box<dyn FnOnce(u64) -> String + Send>;

/// A page is made when it is asked for, since most are not.
enum Page {
    Planned(MakePage),
    Made(Arc<str>),
    Failed,
}

/// What is said instead of a page whose drawing panicked.
const NOT_DRAWN: &str =
    "The page could not be drawn: what went wrong is in the output of the program, which goes on.\n";

/// What is answered.
struct Answer {
    status: &'static str,
    kind: &'static str,
    version: Option<String>,
    body: Arc<str>,
}

impl Answer {
    fn empty(status: &'static str) -> Self {
        Self { status, kind: "text/html", version: None, body: Arc::from("") }
    }

    fn not_drawn() -> Self {
        Self { kind: "text/plain", body: Arc::from(NOT_DRAWN), ..Self::empty("500 Internal Server Error") }
    }
}

impl PageServer {
    /// Serves an empty page at this address; of port 0, at one that is free.
    ///
    /// # Errors
    ///
    /// The system's, if the address is none of this machine or in use, or there are no random numbers.
    pub fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shown = Shown {
            version: 0,
            page: Page::Made(Arc::from("")),
            is_last: false,
            asked: None,
            got_last: None,
        };
        let shared = Arc::new(Shared {
            token: token()?,
            shown: Mutex::new(shown),
            making: Mutex::new(()),
            connections: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        thread::Builder::new().name("watch".into()).spawn(move || serve(&listener, &served))?;
        Ok(Self { address, shared })
    }

    /// The address of the page, for this machine: where it is served at all addresses, the one of the machine itself.
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.own_address(), self.shared.token)
    }

    /// Where this machine reaches it.
    fn own_address(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// Shows another page, which is made of its version when somebody asks for it.
    pub fn show(&self, make: impl FnOnce(u64) -> String + Send + 'static) {
        self.shared.show(Box::new(make));
    }

    /// Shows the last page. If somebody watches, it takes until they have got it, but seconds at most.
    pub fn finish(&self, page: String) {
        let begin = Instant::now();
        let is_watched = {
            let mut shown = self.shared.shown();
            shown.version += 1;
            shown.page = Page::Made(page.into());
            shown.is_last = true;
            shown.asked.is_some_and(|asked| asked.elapsed() < RECENT)
        };
        let all_got_it = || self.shared.shown().got_last.is_some_and(|got| got.elapsed() > OTHERS);
        while is_watched && !all_got_it() && begin.elapsed() < LAST {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        // The thread waits for a connection; one that cannot be made is not waited for, and leaves it to the end of the program.
        let _ = TcpStream::connect_timeout(&self.own_address(), Duration::from_millis(200));
    }
}

/// 128 random bits in hexadecimal.
fn token() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let mut token = String::new();
    bytes.iter().try_for_each(|byte| write!(token, "{byte:02x}")).map_err(io::Error::other)?;
    Ok(token)
}

/// Accepts connections, each of which has a thread, so that one that says nothing keeps no other from being answered.
fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_stopped.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else {
            // Too many open files, for example: others are closed meanwhile.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        let Some(slot) = Slot::take(shared) else { continue };
        let answering = move || {
            // A browser that goes away in the middle is no error.
            let _ = slot.0.answer(stream);
        };
        // Where there is no thread for it, the connection is closed.
        let _ = thread::Builder::new().name("watch".into()).spawn(answering);
    }
}

/// One of the connections that there may be at a time, until it is dropped.
struct Slot(Arc<Shared>);

impl Slot {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let slot = Self(Arc::clone(shared));
        (slot.0.connections.fetch_add(1, Ordering::Relaxed) < CONNECTIONS).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, make: MakePage) {
        let mut shown = self.shown();
        shown.version += 1;
        shown.page = Page::Planned(make);
    }

    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let Some(head) = read_head(&mut stream)? else { return Ok(()) };
        let Answer { status, kind, version, body } = self.answer_to(&head);
        let version = version.map(|version| format!("ETag: {version}\r\n")).unwrap_or_default();
        let length = if status.starts_with("304") || status.starts_with("204") {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\n{length}{version}Cache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nConnection: close\r\n\r\n"
        );
        let begin = Instant::now();
        [head.as_bytes(), body.as_bytes()]
            .into_iter()
            .try_for_each(|part| write(&mut stream, part, begin, ANSWERING))
    }

    fn answer_to(&self, head: &[u8]) -> Answer {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let is_whole = matches!(request.parse(head), Ok(httparse::Status::Complete(_)));
        let (true, Some(method), Some(path)) = (is_whole, request.method, request.path) else {
            return Answer::empty("400 Bad Request");
        };
        if method != "GET" {
            return Answer::empty("405 Method Not Allowed");
        }
        if path == "/favicon.ico" {
            return Answer::empty("204 No Content");
        }
        if !self.is_page(path.as_bytes()) {
            return Answer::empty("404 Not Found");
        }
        let known = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("If-None-Match"));
        self.page(known.map(|header| header.value))
    }

    /// Whether this is the path of the page, in a time that does not depend on how much of it is right.
    fn is_page(&self, path: &[u8]) -> bool {
        let page = format!("/{}/", self.token);
        let differs = path.iter().zip(page.as_bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
        path.len() == page.len() && differs == 0
    }

    /// The page, unless it is of a version that is known.
    fn page(&self, known: Option<&[u8]>) -> Answer {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = self.shown();
        shown.asked = Some(Instant::now());
        let version = shown.version;
        let tag = format!("\"{version}\"");
        if known == Some(tag.as_bytes()) {
            return Answer { version: Some(tag), ..Answer::empty("304 Not Modified") };
        }
        let drawn = match std::mem::replace(&mut shown.page, Page::Failed) {
            Page::Made(body) => Some(body),
            Page::Failed => None,
            Page::Planned(make) => {
                drop(shown);
                // Nothing that the panic left half done is used afterwards.
                let drawn = panic::catch_unwind(AssertUnwindSafe(|| make(version)));
                shown = self.shown();
                drawn.ok().map(Arc::from)
            }
        };
        let Some(body) = drawn else { return Answer::not_drawn() };
        if shown.version == version {
            shown.page = Page::Made(Arc::clone(&body));
            if shown.is_last {
                shown.got_last.get_or_insert_with(Instant::now);
            }
        }
        Answer { status: "200 OK", version: Some(tag), kind: "text/html", body }
    }
}

/// The head of a request, up to the empty line; `None` if it is too long, does not end or does not come in time.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let begin = Instant::now();
    let mut head = Vec::new();
    let mut part = [0; 2048];
    while head.len() < HEAD {
        let Some(left) = left(begin, PATIENCE) else { return Ok(None) };
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut part)?;
        head.extend_from_slice(&part[..read]);
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(head));
        }
        if read == 0 {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Writes all of it, so long after the beginning at most, however little is taken at a time.
fn write(stream: &mut TcpStream, mut bytes: &[u8], begin: Instant, patience: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(begin, patience).ok_or(io::ErrorKind::TimedOut)?))?;
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What is left of a time, if anything is.
fn left(begin: Instant, patience: Duration) -> Option<Duration> {
    patience.checked_sub(begin.elapsed()).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests;
