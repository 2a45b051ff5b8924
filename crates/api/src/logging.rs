//! The log files: what the process that hosts a profile's engine does, one JSON object a line, in `logs/` of the
//! profile's folder.
//!
//! A line says when, how grave, where in the program, and what: `{"at","level","target","message","fields"}`, and
//! within a run also `run` (its id) and `job`. Only our own crates write there. They log counts, ids and codes; should
//! one of them ever log a text of another kind, [`TEXT_FIELDS`] keeps it out, and what a server or the system may have
//! had a say in is cut short. Errors of the operating system and of libraries hold no content of files.
//!
//! The size is bounded: a file a day, or when one is full, [`FILES_KEPT`] in all.

mod files;

use std::{
    fmt::{Debug, Write as _},
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
};

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use files::LogFiles;
pub use files::{FILES_KEPT, LONGEST_FILE};

/// The variable that says what is logged, in the form `tracing` gives it: `debug`, or `warn,rosterbridge_sftp=trace`.
pub const LEVEL_VARIABLE: &str = "ROSTERBRIDGE_LOG";

/// What standard error shows unless the variable says otherwise. The platform's verifier logs as an error what the
/// district's own certificates may still make good.
const SHOWN: &str = "warn,rustls_platform_verifier=off";

/// What goes to the files unless the variable says otherwise.
const KEPT: &str = "rosterbridge=info";

/// How all our crates' names begin.
const OURS: &str = "rosterbridge";

/// The fields whose text goes to the files: names of parts of the program, of tables and files, codes and ids. A text
/// in any other field may be about a person, and is left out. Numbers and yes-or-no always go there.
pub const TEXT_FIELDS: [&str; 26] = [
    "address",
    "backup",
    "code",
    "error",
    "event",
    "fields",
    "file",
    "from",
    "job",
    "kind",
    "next",
    "occurrence",
    "op",
    "outcome",
    "path",
    "pause",
    "phase",
    "pinned",
    "presented",
    "profile",
    "query",
    "reason",
    "run",
    "table",
    "to",
    "trigger",
];

/// Characters of a text at most.
const LONGEST_TEXT: usize = 500;

/// The logs that are open: those of the profiles this process hosts.
static OPEN: RwLock<Vec<Weak<Log>>> = RwLock::new(Vec::new());

/// One profile's log.
#[derive(Debug)]
struct Log {
    profile: String,
    files: Mutex<LogFiles>,
}

/// Keeps a profile's log open. To be held by the process that has the profile's lock, and no other.
#[derive(Debug)]
pub struct ProfileLog(Arc<Log>);

impl ProfileLog {
    /// Opens the log of a profile: from now on lines go to `folder`, which is created for its owner only.
    pub fn open(profile: &str, folder: &Path) -> io::Result<Self> {
        let files = Mutex::new(LogFiles::open(folder, Utc::now().date_naive())?);
        let log = Arc::new(Log { profile: profile.to_owned(), files });
        let mut open = OPEN.write().unwrap_or_else(PoisonError::into_inner);
        open.retain(|log| log.strong_count() > 0);
        open.push(Arc::downgrade(&log));
        Ok(Self(log))
    }

    /// The profile's name.
    pub fn profile(&self) -> &str {
        &self.0.profile
    }
}

/// Starts logging in this process: to standard error as ever, and to the files of the profiles it hosts. To be called
/// once, first thing.
pub fn start(ansi: bool) {
    let shown =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(ansi).with_filter(filter(SHOWN));
    // Fails only when somebody else has started it before, who is heard then.
    let _ = tracing_subscriber::registry().with(shown).with(to_files()).try_init();
}

/// What writes the files, for a subscriber of one's own. [`start`] has it already.
pub fn to_files<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // Spans carry the run's id, so they are needed however little is logged.
    let spans = filter_fn(|metadata| metadata.is_span() && *metadata.level() <= Level::INFO)
        .with_max_level_hint(LevelFilter::INFO);
    let ours = filter_fn(|metadata| metadata.target().starts_with(OURS));
    Files.with_filter(filter(KEPT).or(spans).and(ours))
}

/// What the variable asks for, else `usual`.
fn filter(usual: &str) -> EnvFilter {
    EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| usual.into())
}

/// The layer that writes the files.
struct Files;

impl<S> Layer<S> for Files
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let open: Vec<Arc<Log>> = {
            let open = OPEN.read().unwrap_or_else(PoisonError::into_inner);
            open.iter().filter_map(Weak::upgrade).collect()
        };
        if open.is_empty() {
            return;
        }
        let mut around = Map::new();
        for span in
            context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                around.extend(fields.0.clone());
            }
        }
        let profile = around.get("profile").and_then(Value::as_str).map(str::to_owned);
        let now = Utc::now();
        let line = line(event, around, &now.to_rfc3339_opts(SecondsFormat::Millis, true));
        for log in open {
            // What belongs to no profile in particular is of interest to each.
            if profile.as_ref().is_none_or(|profile| *profile == log.profile) {
                let mut files = log.files.lock().unwrap_or_else(PoisonError::into_inner);
                // A log that can't be written must not stop what it is about.
                let _ = files.write(line.as_bytes(), now.date_naive());
            }
        }
    }
}

/// An event as a line.
fn line(event: &Event<'_>, around: Map<String, Value>, at: &str) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let message = fields.0.remove("message").unwrap_or_default();
    let level = match *event.metadata().level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    };
    let mut line = Map::new();
    line.insert("at".to_owned(), json!(at));
    line.insert("level".to_owned(), json!(level));
    line.insert("target".to_owned(), json!(event.metadata().target()));
    line.insert("message".to_owned(), message);
    // The run's id and the job stand outside, wherever they are said.
    line.extend(around);
    for name in ["run", "job"] {
        line.extend(fields.0.remove_entry(name));
    }
    if !fields.0.is_empty() {
        line.insert("fields".to_owned(), Value::Object(fields.0));
    }
    let mut line = Value::Object(line).to_string();
    line.push('\n');
    line
}

/// Values of fields, as far as they may be kept.
#[derive(Clone, Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn keep(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }

    fn keep_text(&mut self, field: &Field, text: &str) {
        let known = field.name() == "message" || TEXT_FIELDS.contains(&field.name());
        self.keep(field, Value::String(if known { clean(text) } else { "…".to_owned() }));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep_text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a string does not fail; a value that refuses to print leaves what it has written.
        let _ = write!(text, "{value:?}");
        self.keep_text(field, &text);
    }
}

/// A text that another program may have had a say in: on one line, without control characters, and not too long.
fn clean(text: &str) -> String {
    let mut kept: String =
        text.chars().take(LONGEST_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST_TEXT).is_some() {
        kept.push('…');
    }
    kept
}
