//! The proxies that are compared: each started from a config made here, with the same features
//! on, with one thread, on a core of its own.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use intermission::clock::Clock;
use intermission::digest;

use super::machine::{self, Cores, CpuTime};
use super::page::Page;
use super::{drive, origin};

/// Longest wait until a proxy accepts connections.
const STARTING: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Routes for operators of the storm besides the pair.
pub(crate) const BYSTANDERS: usize = 16;
/// The token of the admin API.
pub(crate) const TOKEN: &str = "im_of-the-bench";

/// Which proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    Intermission,
    Nginx,
    Haproxy,
}

impl Name {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Intermission => "Intermission",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
        }
    }
}

/// Where things are put, and where they run.
pub(crate) struct Bench {
    pub(crate) folder: PathBuf,
    pub(crate) cores: Cores,
    pub(crate) origin: SocketAddr,
    /// Where the origin speaks gRPC, in the clear.
    pub(crate) rpc: SocketAddr,
    pub(crate) access: Access,
}

/// Whether the proxies write a line per request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    Logged,
    Silent,
}

/// A proxy at work; ends when dropped.
pub(crate) struct Proxy {
    pub(crate) name: Name,
    child: Child,
    /// Where requests are forwarded.
    pub(crate) open: SocketAddr,
    /// The same over TLS, with HTTP/2.
    pub(crate) secure: SocketAddr,
    /// Where the closed page is served; none if this proxy is not asked for it.
    pub(crate) closed: Option<SocketAddr>,
}

impl Proxy {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn cpu(&self) -> CpuTime {
        CpuTime::of(self.child.id())
    }

    fn start(
        bench: &Bench,
        name: Name,
        program: &Path,
        arguments: &[&str],
        (open, secure): (SocketAddr, SocketAddr),
    ) -> io::Result<Self> {
        let said = bench.folder.join(format!("{}.out", name.text()));
        let mut command = bench.cores.proxy_command(program);
        let (out, err) = (File::create(&said)?, File::options().append(true).open(&said)?);
        let command = command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(err);
        let child = command.spawn()?;
        let mut proxy = Self { name, child, open, secure, closed: None };
        let began = Clock::System.tick();
        while Clock::System.tick().since(began) < STARTING {
            if TcpStream::connect_timeout(&open, LOOK_EVERY).is_ok() {
                return Ok(proxy);
            }
            if !matches!(proxy.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let said = machine::tail(&said);
        Err(io::Error::other(format!("{} did not start:\n{said}", name.text())))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        machine::end(&mut self.child);
    }
}

/// Ours, and its admin API.
pub(crate) struct Ours {
    pub(crate) proxy: Proxy,
    pub(crate) admin: SocketAddr,
}

impl Ours {
    /// Starts the release binary.
    pub(crate) fn start(bench: &Bench) -> io::Result<Self> {
        let (open, admin) = (machine::free_port()?, machine::free_port()?);
        let secure = machine::free_port()?;
        let file = bench.folder.join("intermission.toml");
        fs::write(&file, config(bench, (open, secure), admin))?;
        let arguments = ["serve", "--config", text(&file)];
        let program = origin::intermission();
        let mut proxy =
            Proxy::start(bench, Name::Intermission, program, &arguments, (open, secure))?;
        proxy.closed = Some(open);
        Ok(Self { proxy, admin })
    }

    /// Closes a route as an operator does.
    pub(crate) fn close(&self, route: &str) -> io::Result<()> {
        let why = "A new version";
        self.order(&["on", "--route", route, "--reason", why, "--back-in", "6h", "--yes"])
    }

    /// Reopens it.
    pub(crate) fn reopen(&self, route: &str) -> io::Result<()> {
        self.order(&["off", "--route", route])
    }

    fn order(&self, arguments: &[&str]) -> io::Result<()> {
        let output = Command::new(origin::intermission())
            .args(arguments)
            .env("INTERMISSION_SERVER", format!("http://{}", self.admin))
            .env("INTERMISSION_TOKEN", TOKEN)
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

fn config(bench: &Bench, (open, secure): (SocketAddr, SocketAddr), admin: SocketAddr) -> String {
    let folder = text(&bench.folder);
    let hash = digest::hex(&digest::sha256(TOKEN.as_bytes()));
    let (origin, rpc, storm) = (bench.origin, bench.rpc, drive::routes(BYSTANDERS));
    let access = match bench.access {
        Access::Logged => format!("{folder}/intermission.log"),
        Access::Silent => "off".to_owned(),
    };
    format!(
        r#"
[node]
name = "bench"
region = "eu"
workers = 1
[listen]
http = ["{open}"]
https = ["{secure}"]
[[tls.certificate]]
chain = "{folder}/site.pem"
key = "{folder}/site.key"
[limits]
connections = 20000
connections_per_address = 20000
requests = 20000
requests_per_connection = 1000000000
[admin]
listen = "{admin}"
[[admin.token]]
name = "bench"
sha256 = "{hash}"
[store]
directory = "{folder}/store"
[log]
access = "{access}"
format = "json"
[[upstream]]
name = "app"
servers = ["{origin}"]
[[upstream]]
name = "rpc"
servers = ["{rpc}"]
protocol = "h2"
[[route]]
name = "rpc"
paths = ["/bench.Service/*"]
upstream = "rpc"
[[route]]
name = "site"
paths = ["/*"]
upstream = "app"
[[route]]
name = "closed"
paths = ["/closed/*"]
upstream = "app"
[[route]]
name = "forms"
paths = ["/forms/*"]
upstream = "app"
[[route]]
name = "teed"
paths = ["/teed/*"]
upstream = "app"
[route.forms]
tee = true
[[route]]
name = "replay"
paths = ["/replay/*"]
upstream = "app"
[route.forms]
resume = "replay"
{storm}
"#
    )
}

/// nginx with one worker; none if it is not installed.
pub(crate) fn nginx(bench: &Bench) -> Option<io::Result<Proxy>> {
    machine::version("nginx", "-v")?;
    let start = || {
        let at = (machine::free_port()?, machine::free_port()?);
        let file = bench.folder.join("nginx.conf");
        fs::write(&file, nginx_config(bench, at))?;
        let arguments = ["-p", text(&bench.folder), "-c", text(&file)];
        Proxy::start(bench, Name::Nginx, Path::new("nginx"), &arguments, at)
    };
    Some(start())
}

/// Buffers hold the big answer, so that nothing of it goes to a file. `user root` has a meaning
/// only where the bench runs as root: its folder is closed to others.
fn nginx_config(bench: &Bench, (open, secure): (SocketAddr, SocketAddr)) -> String {
    let (folder, origin, rpc) = (text(&bench.folder), bench.origin, bench.rpc);
    let access = match bench.access {
        Access::Logged => format!("{folder}/nginx.log line buffer=64k flush=1s"),
        Access::Silent => "off".to_owned(),
    };
    format!(
        r#"
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err;
events {{ worker_connections 20000; }}
http {{
    log_format line escape=json '{{"at":"$time_iso8601","client":"$remote_addr","method":"$request_method","host":"$host","path":"$uri","status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr","upstream_seconds":"$upstream_response_time","request":"$request_id"}}';
    access_log {access};
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    upstream app {{
        server {origin};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    upstream rpc {{
        server {rpc};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen {open} backlog=1024;
        listen {secure} ssl http2 backlog=1024;
        ssl_certificate {folder}/site.pem;
        ssl_certificate_key {folder}/site.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        location /bench.Service/ {{
            grpc_pass grpc://rpc;
            grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            grpc_set_header X-Forwarded-Proto $scheme;
            grpc_set_header X-Forwarded-Host $http_host;
            grpc_set_header Forwarded "for=$remote_addr;host=\"$http_host\";proto=$scheme";
        }}
        location /chat {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $http_host;
        }}
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_buffers 16 8k;
            proxy_max_temp_file_size 0;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header Forwarded "for=$remote_addr;host=\"$http_host\";proto=$scheme";
        }}
    }}
}}
"#
    )
}

/// HAProxy with one thread, whose log lines go to this socket; none if it is not installed.
pub(crate) fn haproxy(bench: &Bench, log: &Path, page: &Page) -> Option<io::Result<Proxy>> {
    machine::version("haproxy", "-v")?;
    let start = || {
        let (open, closed) = (machine::free_port()?, machine::free_port()?);
        let secure = machine::free_port()?;
        let (file, body) = (bench.folder.join("haproxy.cfg"), bench.folder.join("closed.html"));
        fs::write(&body, &page.body)?;
        fs::write(&file, haproxy_config(bench, [open, secure, closed], log, &page.rule(&body)))?;
        let arguments = ["-db", "-f", text(&file)];
        let program = Path::new("haproxy");
        let mut proxy = Proxy::start(bench, Name::Haproxy, program, &arguments, (open, secure))?;
        proxy.closed = Some(closed);
        Ok(proxy)
    };
    Some(start())
}

fn haproxy_config(
    bench: &Bench,
    [open, secure, closed]: [SocketAddr; 3],
    log: &Path,
    page: &str,
) -> String {
    let (log, origin, rpc) = (text(log), bench.origin, bench.rpc);
    let folder = text(&bench.folder);
    let access = match bench.access {
        Access::Logged => "log global\n    option httplog",
        Access::Silent => "no log",
    };
    format!(
        r#"
global
    nbthread 1
    maxconn 9800
    tune.ssl.default-dh-param 2048
    log {log} local0
defaults
    mode http
    {access}
    timeout client 60s
    timeout server 60s
    timeout connect 5s
    timeout http-request 10s
    timeout tunnel 60s
    http-reuse always
frontend open
    bind {open}
    bind {secure} ssl crt {folder}/site.both alpn h2,http/1.1 ssl-min-ver TLSv1.2
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header Forwarded "for=%[src];host=\"%[req.hdr(host)]\";proto=http"
    use_backend rpc if {{ path_beg /bench.Service/ }}
    default_backend app
frontend closed
    bind {closed}
    {page}
backend app
    server app {origin} pool-max-conn 256
backend rpc
    server rpc {rpc} proto h2 pool-max-conn 256
"#
    )
}

/// A path of the bench's own folder, which is text.
fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have names in UTF-8")
}
