//! `tidewatch completions` and `tidewatch man`: what the command line says of itself, for shells and for
//! `man`.

use std::io::{self, Write};

use clap::{Command, CommandFactory};

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::output::say;

/// Prints the completion script of a shell.
pub fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tidewatch", &mut script);
    written(&script)
}

/// Prints the manual page: the program, then each command, all in one page.
pub fn man() -> Exit {
    let mut page = Vec::new();
    match render(&mut page) {
        Ok(()) => written(&page),
        Err(error) => failed(&error),
    }
}

fn render(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let whole = clap_mangen::Man::new(command.clone());
    whole.render_title(page)?;
    whole.render_name_section(page)?;
    whole.render_synopsis_section(page)?;
    let mut examples = Vec::new();
    whole.render_extra_section(&mut examples)?;
    page.extend(String::from_utf8_lossy(&examples).replace(".SH EXTRA", ".SH EXAMPLES").bytes());
    render_commands(page, &command, "TIDEWATCH")
}

/// Each command below `parent`, and those below it.
fn render_commands(page: &mut Vec<u8>, parent: &Command, name: &str) -> io::Result<()> {
    for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{name} {}", command.get_name().to_uppercase());
        writeln!(page, ".SH \"{name}\"")?;
        // Below its command's heading a section is one of the second order.
        let man = clap_mangen::Man::new(command.clone());
        let mut sections = Vec::new();
        man.render_description_section(&mut sections)?;
        man.render_synopsis_section(&mut sections)?;
        man.render_options_section(&mut sections)?;
        man.render_extra_section(&mut sections)?;
        let sections = String::from_utf8_lossy(&sections)
            .replace(".SH ", ".SS ")
            .replace(".SS EXTRA", ".SS EXAMPLES");
        page.extend_from_slice(sections.as_bytes());
        render_commands(page, command, &name)?;
    }
    Ok(())
}

fn written(bytes: &[u8]) -> Exit {
    match io::stdout().lock().write_all(bytes) {
        // A reader who has gone away has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&error),
        _ => Exit::Done,
    }
}

fn failed(error: &io::Error) -> Exit {
    say(format_args!("tidewatch: standard output: {error}"));
    Exit::Failed
}
