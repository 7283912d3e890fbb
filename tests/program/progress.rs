//! Progress on a terminal: within its width, and gone when it ends, however it ends.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assay_skips::skip;
use assay_tests::{Sandbox, binary};
use serde_json::Value;

/// What a terminal of so many columns shows, and has scrolled past, after a text was written to it.
struct Screen {
    columns: usize,
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// The longest that a line was.
    widest: usize,
}

impl Screen {
    fn showing(columns: usize, text: &str) -> Self {
        let mut screen = Self {
            columns,
            lines: vec![Vec::new()],
            row: 0,
            column: 0,
            widest: 0,
        };
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\u{1b}' => {
                    assert_eq!(characters.next(), Some('['), "another kind of sequence");
                    let mut argument = String::new();
                    let letter = loop {
                        match characters.next().unwrap() {
                            digit if digit.is_ascii_digit() || "?;".contains(digit) => {
                                argument.push(digit);
                            }
                            letter => break letter,
                        }
                    };
                    screen.steer(letter, argument.parse().ok());
                }
                '\r' => screen.column = 0,
                '\n' => screen.next_line(),
                character => screen.put(character),
            }
        }
        screen
    }

    fn next_line(&mut self) {
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push(Vec::new());
        }
    }

    fn put(&mut self, character: char) {
        if self.column == self.columns {
            self.next_line();
            self.column = 0;
        }
        let line = &mut self.lines[self.row];
        if line.len() <= self.column {
            line.resize(self.column + 1, ' ');
        }
        line[self.column] = character;
        self.column += 1;
        if character != ' ' {
            self.widest = self.widest.max(self.column);
        }
    }

    fn steer(&mut self, letter: char, argument: Option<usize>) {
        match (letter, argument) {
            ('A', places) => self.row = self.row.saturating_sub(places.unwrap_or(1)),
            ('B', places) => (0..places.unwrap_or(1)).for_each(|_| self.next_line()),
            ('K', None) => self.lines[self.row].truncate(self.column),
            ('K', Some(2)) => self.lines[self.row].clear(),
            ('J', None) => {
                self.lines[self.row].truncate(self.column);
                self.lines.truncate(self.row + 1);
            }
            ('m', _) => {}
            (letter, _) => panic!("an unexpected sequence that ends with {letter}"),
        }
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| {
            let line: String = line.iter().collect();
            line.trim_end().to_owned() + "\n"
        });
        lines.collect()
    }
}

/// Runs `pipeline` with these words of a shell on a terminal of so many columns, and types Ctrl-C after a
/// while if `stop` says so: once two trainings have finished an epoch. Gives what it wrote to the terminal; nothing where none can be had.
fn written(
    sandbox: &Sandbox,
    columns: usize,
    rows: usize,
    words: &str,
    stop: bool,
) -> Option<String> {
    let environment = sandbox.command(&[]);
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command"])
        .arg(format!(
            "stty cols {columns} rows {rows}; '{}' {words}",
            binary().display()
        ))
        .arg("/dev/null")
        .current_dir(sandbox.path(""))
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    for (name, value) in environment.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let Ok(mut child) = command.spawn() else {
        skip("there is no `script`");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    if stop {
        let patience = Instant::now() + Duration::from_mins(1);
        while trained(sandbox) < 2 {
            assert!(Instant::now() < patience, "no epoch came");
            thread::sleep(Duration::from_millis(50));
        }
        input.write_all(&[3]).unwrap();
    }
    let ended = child.wait_with_output().unwrap();
    drop(input);
    Some(String::from_utf8(ended.stdout).unwrap())
}

/// How many trainings of the run under way have finished an epoch.
fn trained(sandbox: &Sandbox) -> usize {
    let listed = sandbox.execute(&["ls", "--json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap_or_default();
    let stages = listed["running"][0]["running"].as_array();
    let stages = stages.into_iter().flatten();
    stages.filter(|stage| stage["epoch"].is_object()).count()
}

/// As [`written`], for a run of the sandbox's pipeline; gives what the terminal shows.
fn on_terminal(sandbox: &Sandbox, columns: usize, stop: bool) -> Option<Screen> {
    let text = written(sandbox, columns, 24, "run pipeline.toml >out", stop)?;
    Some(Screen::showing(columns, &text))
}

#[test]
fn progress_keeps_within_the_terminal_and_leaves_what_was_done() {
    for columns in [60, 80, 160] {
        let sandbox = Sandbox::new();
        sandbox.pipeline(r#"["bp", "fa"]"#, 60);
        let Some(screen) = on_terminal(&sandbox, columns, false) else {
            return;
        };
        let text = screen.text();
        assert!(screen.widest <= columns - 4, "{text}");
        let trained = text.lines().find(|line| line.starts_with("train/bp"));
        let trained = trained.unwrap();
        assert!(trained.contains(" done in "), "{text}");
        assert!(trained.contains(", best "), "{text}");
        let left = text.lines().filter(|line| line.contains(" left"));
        assert_eq!(left.count(), 0, "{text}");
        assert!(!text.contains("stages done"), "{text}");
    }
}

#[test]
fn ctrl_c_leaves_no_stale_progress_and_says_what_goes_on() {
    for columns in [80, 160] {
        let sandbox = Sandbox::new();
        sandbox.pipeline(r#"["bp", "fa"]"#, 100_000);
        let Some(screen) = on_terminal(&sandbox, columns, true) else {
            return;
        };
        let text = screen.text();
        for stage in ["train/bp/seed=1", "train/fa/seed=1"] {
            let lines = text.lines().filter(|line| line.contains(stage));
            let lines: Vec<_> = lines.collect();
            assert_eq!(lines.len(), 1, "{text}");
            assert!(lines[0].contains("stopped after epoch "), "{text}");
            assert!(
                lines[0].contains(" of 100000: goes on from there"),
                "{text}"
            );
        }
        assert_eq!(text.matches("stopping: ").count(), 1, "{text}");
        assert!(
            text.contains("\nstopped; the same command goes on"),
            "{text}"
        );
        assert!(!text.contains("stages done"), "{text}");
    }
}

#[test]
fn a_picture_of_a_run_is_drawn_in_its_place() {
    for rows in [16, 30] {
        let sandbox = Sandbox::new();
        let text = fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
        let text = text.replace("seed = [1]", "seed = [1, 2, 3]");
        let text = text.replace("epochs = 2", "epochs = 40");
        fs::write(sandbox.path("pipeline.toml"), text).unwrap();
        let mut run = sandbox.start(&["--jobs", "2"]);
        let listed = || sandbox.execute(&["watch", "--once"]).code == Some(0);
        while !listed() {
            assert!(
                run.try_wait().unwrap().is_none(),
                "it ended before it was seen"
            );
        }
        let text = written(&sandbox, 80, rows, "watch", false);
        assert!(run.wait().unwrap().success());
        let Some(text) = text else { return };
        let drawn = text.matches("\u{1b}[J").count();
        assert!(drawn > 1, "{text}");
        let screen = Screen::showing(80, &text);
        assert!(screen.lines.len() <= rows + 1, "{}", screen.text());
        let shown = screen.text();
        assert_eq!(shown.matches("small  ").count(), 1, "{shown}");
        assert!(shown.contains("complete"), "{shown}");
    }
}

#[test]
fn tables_keep_within_the_terminal() {
    let sandbox = Sandbox::new();
    let text = fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
    let text = text.replace("seed = [1]", "seed = [1, 2, 3]");
    fs::write(sandbox.path("pipeline.toml"), text).unwrap();
    let _ = sandbox.run(&[]).exits(0);
    for columns in [60, 80] {
        for words in [
            "run pipeline.toml 2>out",
            "ls",
            "ls actions",
            "ls artifacts",
        ] {
            let Some(text) = written(&sandbox, columns, 24, words, false) else {
                return;
            };
            let hash = |line: &&str| !line.starts_with("run ") && !line.contains("/artifacts");
            for line in text.lines().filter(hash) {
                let length = line.trim_end().chars().count();
                assert!(length <= columns, "{words}: {line}");
            }
        }
    }
    // A pipe has no width.
    let piped = sandbox.execute(&["ls", "actions"]).exits(0).stdout;
    let widest = piped.lines().map(|line| line.chars().count()).max();
    assert!(widest > Some(80), "{piped}");
}
