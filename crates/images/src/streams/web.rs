//! Files of a web server: small ones as text, large ones into a file, gone on with where they broke off.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    thread,
    time::Duration,
};

use exec::{Control, Progress};
use ureq::{
    Agent, Proxy,
    http::{HeaderMap, Response, StatusCode, header},
    tls::{RootCerts, TlsConfig},
};

use super::Part;
use crate::{Digest, Error, Result, error::At};

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How often in a row a download may break off without a byte having come.
const TRIES: u32 = 5;
/// Bytes of a list, at most. That of Ubuntu has some two millions.
const LIST: u64 = 64 << 20;
const BLOCK: usize = 256 << 10;

/// What fetches. Blocks.
pub struct Web {
    agent: Agent,
}

impl Web {
    /// Through that proxy, or that of the environment.
    ///
    /// # Errors
    /// When that is no proxy.
    pub fn new(proxy: Option<&str>) -> Result<Web> {
        let proxy = match proxy {
            Some(url) => Some(Proxy::new(url).map_err(Error::web(url))?),
            None => Proxy::try_from_env(),
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(tls::provider())
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .user_agent(concat!("microcloud/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .timeout_per_write(Some(SILENCE))
            .build();
        Ok(Web { agent: config.new_agent() })
    }

    /// A file as text.
    ///
    /// # Errors
    /// When it cannot be had, or is too long for a list.
    pub fn text(&self, url: &str) -> Result<String> {
        let mut answer = self.agent.get(url).call().map_err(Error::web(url))?;
        answer.body_mut().with_config().limit(LIST).read_to_string().map_err(Error::web(url))
    }

    /// What a server says of an address without sending what is there.
    ///
    /// # Errors
    /// When it cannot be asked, or has nothing there.
    pub fn head(&self, url: &str, told: &[(&str, String)]) -> Result<HeaderMap> {
        let mut request = self.agent.head(url);
        for (name, value) in told {
            request = request.header(*name, value);
        }
        Ok(request.call().map_err(Error::web(url))?.headers().clone())
    }

    /// A file into a file that is made, whole and as `part` says it is.
    ///
    /// # Errors
    /// When it cannot be had, is another, or `control` is cancelled. What was written until then stays.
    pub fn download(&self, url: &str, to: &Path, part: &Part, control: &Control) -> Result<()> {
        let file = File::create(to).at("make", to)?;
        let mut load = Load { file, to, part, digest: Digest::new(), control };
        let mut idle = 0;
        loop {
            let before = load.digest.bytes();
            let error = match self.attempt(url, &mut load) {
                Ok(()) => break,
                Err(error) if !error.may_pass() => return Err(error),
                Err(error) => error,
            };
            idle = if load.digest.bytes() > before { 0 } else { idle + 1 };
            if idle >= TRIES {
                return Err(error);
            }
            thread::sleep(Duration::from_secs(idle.into()));
            control.check()?;
        }
        let found = load.digest.fingerprint();
        match found.eq_ignore_ascii_case(&part.sha256) {
            true => Ok(()),
            false => {
                Err(Error::Another { url: url.to_owned(), wanted: part.sha256.clone(), found })
            }
        }
    }

    /// Goes on with it until it is whole.
    fn attempt(&self, url: &str, load: &mut Load<'_>) -> Result<()> {
        let mut request = self.agent.get(url);
        let have = load.digest.bytes();
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let mut answer = request.call().map_err(Error::web(url))?;
        if !goes_on(&answer, have) {
            load.begin_anew()?;
        }
        let mut body = answer.body_mut().as_reader();
        let mut block = vec![0; BLOCK];
        loop {
            load.control.check()?;
            let read = body.read(&mut block).map_err(|error| Error::web(url)(error.into()))?;
            if read == 0 {
                return load.whole(url);
            }
            load.take(url, &block[..read])?;
        }
    }
}

/// Whether an answer begins where we are: a server may not know of ranges, and send all of it.
fn goes_on<T>(answer: &Response<T>, have: u64) -> bool {
    let range = answer.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let here = range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
    have == 0 || answer.status() == StatusCode::PARTIAL_CONTENT && here
}

/// A download that is under way.
struct Load<'a> {
    file: File,
    to: &'a Path,
    part: &'a Part,
    digest: Digest,
    control: &'a Control,
}

impl Load<'_> {
    fn begin_anew(&mut self) -> Result<()> {
        self.digest = Digest::new();
        self.file.set_len(0).at("empty", self.to)?;
        self.file.seek(SeekFrom::Start(0)).at("empty", self.to).map(drop)
    }

    fn take(&mut self, url: &str, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).at("write", self.to)?;
        self.digest.update(bytes);
        let have = self.digest.bytes();
        if have > self.part.size {
            return Err(self.length(url));
        }
        self.control.report(Progress::bytes("download image", have, Some(self.part.size)));
        Ok(())
    }

    fn whole(&self, url: &str) -> Result<()> {
        if self.digest.bytes() == self.part.size { Ok(()) } else { Err(self.length(url)) }
    }

    fn length(&self, url: &str) -> Error {
        let (wanted, found) = (self.part.size, self.digest.bytes());
        Error::Length { url: url.to_owned(), wanted, found }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        net::{TcpListener, TcpStream},
        sync::{Arc, Mutex},
    };

    use super::*;

    /// A server that answers the first requests so, one after the other, and remembers them.
    struct Server {
        url: String,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        fn start(answers: Vec<String>) -> Server {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/image", listener.local_addr().unwrap());
            let asked = Arc::new(Mutex::new(Vec::new()));
            let heard = asked.clone();
            thread::spawn(move || {
                for answer in answers {
                    let (mut stream, _) = listener.accept().unwrap();
                    heard.lock().unwrap().push(request(&stream));
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            });
            Server { url, asked }
        }

        fn download(&self, part: &Part) -> (Result<()>, String) {
            let folder = tempfile::tempdir().unwrap();
            let to = folder.path().join("image");
            let web = Web::new(None).unwrap();
            let done = web.download(&self.url, &to, part, &Control::none());
            (done, std::fs::read_to_string(to).unwrap())
        }
    }

    fn request(stream: &TcpStream) -> String {
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// "abc", as a list would say it.
    fn abc() -> Part {
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        Part { path: String::from("image"), sha256: sha256.to_owned(), size: 3 }
    }

    #[test]
    fn a_download_that_breaks_off_goes_on_where_it_was() {
        let server = Server::start(vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab".to_owned(),
            "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 2-2/3\r\ncontent-length: 1\r\n\r\nc"
                .to_owned(),
        ]);
        let (done, text) = server.download(&abc());
        done.unwrap();
        assert_eq!(text, "abc");
        let asked = server.asked.lock().unwrap();
        assert!(!asked[0].contains("range"), "{asked:?}");
        assert!(asked[1].to_lowercase().contains("range: bytes=2-"), "{asked:?}");
    }

    #[test]
    fn a_server_that_knows_no_ranges_sends_all_of_it_again() {
        let all = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc".to_owned();
        let server = Server::start(vec![all.replace("abc", "ab"), all]);
        let (done, text) = server.download(&abc());
        done.unwrap();
        assert_eq!(text, "abc");
    }

    #[test]
    fn what_is_another_is_refused() {
        let server =
            Server::start(vec!["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabd".to_owned()]);
        let (done, _) = server.download(&abc());
        assert!(matches!(done, Err(Error::Another { .. })), "{done:?}");
    }

    #[test]
    fn what_is_longer_is_not_waited_for() {
        let server =
            Server::start(vec!["HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nabcd".to_owned()]);
        let (done, _) = server.download(&abc());
        assert!(matches!(done, Err(Error::Length { .. })), "{done:?}");
    }

    #[test]
    fn what_is_not_there_is_asked_for_once() {
        let server =
            Server::start(vec!["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned()]);
        let (done, _) = server.download(&abc());
        let Err(Error::Web { url, source }) = done else { panic!("{done:?}") };
        assert!(url == server.url && matches!(*source, ureq::Error::StatusCode(404)), "{source}");
    }
}
