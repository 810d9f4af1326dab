//! The figures as text, and as Markdown for the documents.

use super::marks::judge;
use super::measure::Figure;
use super::parts::NAMES;

pub(crate) const HEAD: &str = "work          threads  rounds  core to core   ours us  floor us  ratio  spread  samples/s  GFLOP/s  of peak  \
                               allocations  peak MB (foretold)  mark";

/// One line under [`HEAD`].
pub(crate) fn line(figure: &Figure) -> String {
    let Figure { work, threads, ours_us, floor_us, ratio, spread, samples_per_second, gflops, .. } = figure;
    format!(
        "{work:13} {threads:7} {:7} {:>13} {ours_us:9.1} {floor_us:8.1}{} {ratio:6.2} {:6.1}% {samples_per_second:10.0} \
         {gflops:8.1} {:7.0}% {:12.1} {:9.2} ({:6.2})  {}",
        figure.ours_rounds_us.len(),
        core_to_core(figure),
        if figure.floor_holds { ' ' } else { '?' },
        100.0 * spread,
        100.0 * figure.peak_share,
        figure.allocations,
        megabytes(figure.peak_bytes),
        megabytes(figure.foretold_bytes),
        judge(figure),
    )
}

/// The parts of the steps, under a heading.
pub(crate) fn parts(figures: &[Figure]) -> String {
    let mut text = format!("{:13}", "work");
    NAMES.iter().for_each(|name| text += &format!(" {name:>9}"));
    text += "        sum  the step on 1 thread";
    for figure in figures.iter().filter(|figure| figure.threads == 1) {
        let Figure { work, parts, ours_us, .. } = figure;
        text += &format!("\n{work:13}");
        parts.0.iter().for_each(|part| text += &format!(" {part:9.2}"));
        text += &format!(" {:10.2}  {ours_us:.2}", parts.0.iter().sum::<f64>());
    }
    text
}

/// The figures as a table in Markdown.
pub(crate) fn markdown(figures: &[Figure]) -> String {
    let mut text =
        "| work | threads | rounds | core to core | step, µs | floor, µs | step / floor | spread | samples a second | GFLOP/s | \
                    of the peak | allocations | memory, MB (foretold) | mark |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for figure in figures {
        let Figure { work, threads, ours_us, floor_us, ratio, spread, samples_per_second, gflops, .. } =
            figure;
        text += &format!(
            "| `{work}` | {threads} | {} | {} | {ours_us:.1} | {floor_us:.1} | {ratio:.2} | {:.1} % | \
             {samples_per_second:.0} | {gflops:.0} | {:.0} % | {} | {:.2} ({:.2}) | {} |\n",
            figure.ours_rounds_us.len(),
            core_to_core(figure),
            100.0 * spread,
            100.0 * figure.peak_share,
            figure.allocations,
            megabytes(figure.peak_bytes),
            megabytes(figure.foretold_bytes),
            judge(figure),
        );
    }
    text += &format!("\n| work | {} |\n|---|{}\n", NAMES.join(" | "), "---|".repeat(NAMES.len()));
    for Figure { work, parts, .. } in figures.iter().filter(|figure| figure.threads == 1) {
        let parts = parts.0.map(|part| format!("{part:.2}"));
        text += &format!("| `{work}` | {} |\n", parts.join(" | "));
    }
    text
}

fn core_to_core(figure: &Figure) -> String {
    figure.core_to_core_ns.map_or(String::new(), |nanoseconds| format!("{nanoseconds:.0} ns"))
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_as_many_cells_as_their_heads() {
        let figures = [1, 2].map(|threads| Figure { work: "mlp32".into(), threads, ..Figure::default() });
        let text = markdown(&figures);
        for table in text.trim().split("\n\n") {
            let cells: Vec<usize> = table.lines().map(|line| line.matches('|').count()).collect();
            assert!(cells.iter().all(|&count| count == cells[0]), "{table}");
        }
        assert_eq!(parts(&figures).lines().count(), 2, "the parts are told once for each work");
    }
}
