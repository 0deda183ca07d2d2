//! What commands print.

use std::io::{ErrorKind, Write};

/// Prints a line. A reader who has seen enough and closed the pipe ends the command quietly.
macro_rules! say {
    ($($argument:tt)*) => { $crate::cli::print(format_args!($($argument)*)) };
}

pub fn print(line: std::fmt::Arguments<'_>) {
    let printed = writeln!(std::io::stdout(), "{line}");
    if printed.is_err_and(|e| e.kind() == ErrorKind::BrokenPipe) {
        // Nobody reads on, so there is nothing left to do; the database is closed by the end of the process.
        std::process::exit(0);
    }
}
