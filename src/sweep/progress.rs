//! The progress bar, on a terminal only.

use explore::store::{Kind, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

pub struct Bar {
    bar: Option<ProgressBar>,
    start: Instant,
    ended_before: u64,
}

impl Bar {
    pub fn new(before: &Progress) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(before.left() + before.ended()), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} tasks{msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_position(before.ended());
            bar
        });
        Self { bar, start: Instant::now(), ended_before: before.ended() }
    }

    pub fn show(&mut self, progress: &Progress) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(progress.ended());
        let rate = (progress.ended() - self.ended_before) as f64 / self.start.elapsed().as_secs_f64().max(1e-3);
        let left = match left(progress, progress.claimed.iter().sum()) {
            Some(left) => format!(", {} left", clock(left)),
            None => String::new(),
        };
        bar.set_message(format!(", {rate:.1}/s{left}"));
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Time for what has not ended with that many tasks at a time, each kind by its own mean; none before a task of each kind left has ended.
pub fn left(progress: &Progress, at_a_time: u64) -> Option<Duration> {
    let mut seconds = 0.0;
    for at in 0..Kind::ALL.len() {
        let tasks = progress.pending[at] + progress.claimed[at];
        if tasks > 0 && progress.ended[at] == 0 {
            return None;
        }
        seconds += tasks as f64 * progress.seconds[at];
    }
    Duration::try_from_secs_f64(seconds / at_a_time.max(1) as f64).ok()
}

/// As hours, minutes and seconds.
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}
