//! `chainrule completions`: what a shell needs to complete a command.

use std::error::Error;

use chainrule_cli::terminal;
use clap::{Args, Command};
use clap_complete::Shell;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The shell. For bash: chainrule completions bash > ~/.local/share/bash-completion/completions/chainrule
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, mut command: Command) -> Result<(), Box<dyn Error>> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "chainrule", &mut script);
    Ok(terminal::print(String::from_utf8(script)?.trim_end())?)
}
