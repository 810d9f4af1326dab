//! Reads a file, and shows its columns and the time that it took:
//! `cargo run --release -p chainrule-tables --example read -- FILE`.

use std::time::Instant;

use chainrule_tables::Table;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("give a file, such as a CSV file")?;
    let start = Instant::now();
    let table = Table::read(path)?;
    let seconds = start.elapsed().as_secs_f64();
    for column in table.summary() {
        println!(
            "{:24} {:10} {} missing, {} distinct",
            column.name, column.kind, column.missing, column.distinct
        );
    }
    println!("{} rows in {seconds:.3} s", table.rows());
    Ok(())
}
