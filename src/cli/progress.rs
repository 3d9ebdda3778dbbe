//! How far long work is: a bar on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::store::backup::Progress;

/// Shows how far it is on standard error.
#[derive(Debug)]
pub(super) enum Shown {
    /// A bar.
    Bar(ProgressBar),
    /// A line, and when the next is due.
    Lines(Instant),
    /// Nothing.
    Quiet,
}

impl Shown {
    /// A bar on a terminal, lines elsewhere, nothing for programs that read JSON.
    pub(super) fn new(json: bool) -> Self {
        match (json, io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                let style = ProgressStyle::with_template(TEMPLATE).expect("the template is sound");
                Self::Bar(bar.with_style(style.progress_chars("=> ")))
            }
            (false, false) => Self::Lines(Instant::now() + EVERY),
        }
    }

    /// Shows that it is this far.
    pub(super) fn show(&mut self, progress: &Progress) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(progress.all_bytes);
                bar.set_position(progress.bytes);
                bar.set_message(format!("{}/{}", progress.files, progress.all_files));
            }
            Self::Lines(due) if Instant::now() >= *due => {
                *due = Instant::now() + EVERY;
                let Progress { files, all_files, bytes, all_bytes, .. } = progress;
                let (bytes, all) = (ByteSize(*bytes), ByteSize(*all_bytes));
                let line = format!("{bytes} of {all}, {files} of {all_files} files");
                // Nobody may be there to see it.
                writeln!(io::stderr(), "logtrace: {line}").ok();
            }
            Self::Lines(_) | Self::Quiet => {}
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

const TEMPLATE: &str = "[{bar:32}] {bytes}/{total_bytes} {bytes_per_sec}, {msg} files, {eta} left";

/// How often a line is written.
const EVERY: Duration = Duration::from_secs(5);
