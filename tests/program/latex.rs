//! `table.tex`, as LaTeX itself reads it.

use std::fs;
use std::io;
use std::process::Command;

use assay_skips::skip;
use assay_tests::Sandbox;

#[test]
fn the_table_compiles() {
    let sandbox = Sandbox::new();
    let settings = [
        "method.\"fa_50%\"={algorithm=\"fa\"}",
        "train.matrix.method=[\"bp\", \"fa_50%\"]",
        "train.matrix.seed=[1, 2]",
    ];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<_> = settings.chain(["--output", "pages"]).collect();
    let _ = sandbox.run(&arguments).exits(0);
    // As docs/reports.md shows it.
    let text = "\\documentclass{article}\n\\usepackage{booktabs, graphicx}\n\\begin{document}\n\
                \\begin{table}\n\\resizebox{\\linewidth}{!}{\\input{pages/report/table.tex}}\n\
                \\end{table}\n\\end{document}\n";
    fs::write(sandbox.path("paper.tex"), text).unwrap();
    let compiled = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", "paper.tex"])
        .current_dir(sandbox.path(""))
        .output();
    let output = match compiled {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return skip("there is no pdflatex");
        }
        compiled => compiled.unwrap(),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        !said.contains("Overfull"),
        "the table is wider than a page:\n{said}"
    );
    assert!(sandbox.path("paper.pdf").is_file());
}
