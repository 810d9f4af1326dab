//! The figures as text, and as Markdown for the documents.

use super::breakdown::NAMES;
use super::measure::Figure;
use super::targets::judge;

pub(crate) const HEAD: &str = "workload      threads  rounds  core latency   ours us  baseline us  ratio  spread  columns  samples/s  GFLOP/s  of peak  \
                               allocations  peak MB (estimated)  target";

/// One line under [`HEAD`].
pub(crate) fn line(figure: &Figure) -> String {
    let Figure { workload, threads, ours_us, baseline_us, ratio, spread, samples_per_second, gflops, .. } =
        figure;
    format!(
        "{workload:13} {threads:7} {:7} {:>13} {ours_us:9.1} {baseline_us:11.1}{} {ratio:6.2} {:6.1}% {:7.0}% \
         {samples_per_second:10.0} {gflops:8.1} {:7.0}% {:12.1} {:9.2} ({:7.2})  {}",
        figure.ours_rounds_us.len(),
        core_latency(figure),
        if figure.baseline_valid { ' ' } else { '?' },
        100.0 * spread,
        100.0 * figure.used_columns,
        100.0 * figure.peak_share,
        figure.allocations,
        megabytes(figure.peak_bytes),
        megabytes(figure.estimated_bytes),
        judge(figure),
    )
}

/// The sections of the steps, under a heading.
pub(crate) fn breakdown(figures: &[Figure]) -> String {
    let mut text = format!("{:13}", "workload");
    NAMES.iter().for_each(|name| text += &format!(" {name:>9}"));
    text += "        sum  the step on 1 thread";
    for figure in figures.iter().filter(|figure| figure.threads == 1) {
        let Figure { workload, breakdown, ours_us, .. } = figure;
        text += &format!("\n{workload:13}");
        breakdown.0.iter().for_each(|us| text += &format!(" {us:9.2}"));
        text += &format!(" {:10.2}  {ours_us:.2}", breakdown.0.iter().sum::<f64>());
    }
    text
}

/// The figures as tables in Markdown.
pub(crate) fn markdown(figures: &[Figure]) -> String {
    let mut text = "| workload | threads | rounds | core latency | step, µs | baseline, µs | step / baseline | spread | columns used | \
                    samples/s | GFLOP/s | of the peak | allocations | memory, MB (estimated) | target |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for figure in figures {
        let Figure {
            workload, threads, ours_us, baseline_us, ratio, spread, samples_per_second, gflops, ..
        } = figure;
        text += &format!(
            "| `{workload}` | {threads} | {} | {} | {ours_us:.1} | {baseline_us:.1} | {ratio:.2} | {:.1} % | {:.0} % | \
             {samples_per_second:.0} | {gflops:.0} | {:.0} % | {} | {:.2} ({:.2}) | {} |\n",
            figure.ours_rounds_us.len(),
            core_latency(figure),
            100.0 * spread,
            100.0 * figure.used_columns,
            100.0 * figure.peak_share,
            figure.allocations,
            megabytes(figure.peak_bytes),
            megabytes(figure.estimated_bytes),
            judge(figure),
        );
    }
    text += &format!("\n| workload | {} |\n|---|{}\n", NAMES.join(" | "), "---|".repeat(NAMES.len()));
    for Figure { workload, breakdown, .. } in figures.iter().filter(|figure| figure.threads == 1) {
        let cells = breakdown.0.map(|us| format!("{us:.2}"));
        text += &format!("| `{workload}` | {} |\n", cells.join(" | "));
    }
    text
}

fn core_latency(figure: &Figure) -> String {
    figure.core_latency_ns.map_or(String::new(), |nanoseconds| format!("{nanoseconds:.0} ns"))
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_cells_of_their_heads() {
        let figures = [1, 2].map(|threads| Figure { workload: "mlp32".into(), threads, ..Figure::default() });
        let text = markdown(&figures);
        for table in text.trim().split("\n\n") {
            let cells: Vec<usize> = table.lines().map(|line| line.matches('|').count()).collect();
            assert!(cells.iter().all(|&count| count == cells[0]), "{table}");
        }
        assert_eq!(breakdown(&figures).lines().count(), 2, "one row for each workload");
    }
}
