//! The steps that a document asks of its reader: its fenced blocks, in order.
//!
//! A comment on the line above a block says what is special about it: `<!-- in FILE -->` for a
//! quotation of a file or a change to it, `<!-- not run: REASON -->` for commands.

/// One block's meaning.
pub(crate) enum Step {
    /// Commands to type.
    Run(Vec<Command>),
    /// `text` is a part of `file`.
    Quote { file: String, text: String },
    /// `from`, a part of `file`, becomes `to`.
    Change {
        file: String,
        from: String,
        to: String,
    },
}

/// A command and the output that the document shows for it.
pub(crate) struct Command {
    pub(crate) line: String,
    pub(crate) output: Vec<String>,
}

/// A fenced block.
struct Block<'a> {
    language: &'a str,
    /// The comment on the line above it, without its marks.
    comment: Option<&'a str>,
    lines: Vec<&'a str>,
}

/// The steps of a document; formulas and layouts, in blocks of `text`, are none.
pub(crate) fn steps(document: &str) -> Vec<Step> {
    blocks(document).iter().filter_map(step).collect()
}

fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let (mut above, mut open) = ("", None);
    for line in document.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block {
                    language,
                    comment: comment(above),
                    lines: Vec::new(),
                });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.lines.push(line);
                open = Some(block);
            }
            (None, None) => {}
        }
        above = line;
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn comment(line: &str) -> Option<&str> {
    line.strip_prefix("<!-- ")?.strip_suffix(" -->")
}

fn step(block: &Block<'_>) -> Option<Step> {
    let file = block
        .comment
        .and_then(|comment| comment.strip_prefix("in "));
    match (block.language, file) {
        ("text", None) => None,
        ("console", None) => match block.comment {
            Some(comment) => {
                let reason = comment.strip_prefix("not run: ");
                assert!(reason.is_some_and(|it| !it.is_empty()), "{comment}?");
                None
            }
            None => Some(Step::Run(commands(&block.lines))),
        },
        ("diff", Some(file)) => Some(Step::Change {
            file: file.to_owned(),
            from: side(&block.lines, '-'),
            to: side(&block.lines, '+'),
        }),
        (_, Some(file)) => Some(Step::Quote {
            file: file.to_owned(),
            text: block.lines.join("\n"),
        }),
        (language, None) => panic!("nothing says what this block of {language:?} is for"),
    }
}

/// The lines before (`-`) or after (`+`) a change.
fn side(lines: &[&str], sign: char) -> String {
    let lines = lines.iter().filter_map(|line| {
        let mut rest = line.chars();
        match rest.next() {
            // Editors like to remove the only blank of an empty line.
            None => Some(""),
            Some(first) if first == ' ' || first == sign => Some(rest.as_str()),
            _ => None,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn commands(lines: &[&str]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in lines {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(line), _) => commands.push(Command {
                line: line.to_owned(),
                output: Vec::new(),
            }),
            (None, Some(last)) if last.line.ends_with('\\') => {
                last.line.push('\n');
                last.line.push_str(line);
            }
            (None, Some(last)) => last.output.push((*line).to_owned()),
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    commands
}
