//! The picture of a model whose layers are not one after the other.
//!
//! Nodes are in rows: each is below all that it depends on. An edge that goes past rows has a place of its own in them, so that it crosses
//! no node. Within its row a node is near the middle of those that it depends on (Sugiyama, Tagawa and Toda 1981).

use std::fmt::Write;

use crate::escape::html;
use crate::report::ModelGraph;

/// Models of more nodes have no picture, which would be too large to be read.
const MOST: usize = 150;

/// The most lines in a node.
const LINES: usize = 6;

/// The most letters in a line.
const LETTERS: usize = 34;

// In units of the picture, which are pixels where there is space.
const LETTER: f64 = 6.9;
const LINE: f64 = 17.0;
const PADDING: f64 = 12.0;
const BETWEEN: f64 = 26.0;
const GAP: f64 = 38.0;
const PASSING: f64 = 14.0;

/// What has a place in a row: a node, or an edge that goes past the row.
struct Item {
    node: Option<usize>,
    width: f64,
    /// The indices of those above that it is joined with, in the row above.
    above: Vec<usize>,
    middle: f64,
}

/// What is written in a node.
fn lines(graph: &ModelGraph, node: usize) -> Vec<String> {
    let node = &graph.nodes[node];
    let short = |line: &String| {
        let mut letters = line.chars();
        let kept: String = letters.by_ref().take(LETTERS).collect();
        if letters.next().is_some() { format!("{kept}\u{2026}") } else { kept }
    };
    let mut lines: Vec<String> = node.lines.iter().take(LINES).map(short).collect();
    if node.lines.len() > LINES {
        let last = LINES - 1;
        lines[last] = format!("and {} more", node.lines.len() - last);
    }
    let name = (!node.name.is_empty()).then(|| short(&node.name));
    name.into_iter().chain(lines).collect()
}

/// The picture as SVG; nothing if there is no node, too many, or an edge that goes nowhere or back.
pub(crate) fn picture(graph: &ModelGraph) -> Option<String> {
    let count = graph.nodes.len();
    let goes_on = |&(from, to): &(usize, usize)| from < to && to < count;
    if count == 0 || count > MOST || graph.edges.len() > 4 * MOST || !graph.edges.iter().all(goes_on) {
        return None;
    }
    let texts: Vec<Vec<String>> = (0..count).map(|node| lines(graph, node)).collect();
    let of_row = rows(graph, &texts);
    let heights: Vec<f64> = of_row
        .iter()
        .map(|row| {
            let tallest = row.iter().filter_map(|item| Some(texts[item.node?].len())).max().unwrap_or(0);
            tallest as f64 * LINE + 2.0 * PADDING
        })
        .collect();
    let tops: Vec<f64> = heights
        .iter()
        .scan(1.0, |top, height| {
            let own = *top;
            *top += height + GAP;
            Some(own)
        })
        .collect();
    let width = of_row.iter().map(|row| row_width(row)).fold(0.0, f64::max) + 2.0;
    let height = tops.last()? + heights.last()? + 1.0;
    let mut svg = String::new();
    let label = format!(
        "Graph of {count} nodes, from the inputs above to the outputs below; its layers are in the table"
    );
    let _ = write!(
        svg,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Graph\"><svg class=\"graph\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">"
    );
    for (row, items) in of_row.iter().enumerate().skip(1) {
        for item in items {
            for &above in &item.above {
                let upper = &of_row[row - 1][above];
                // Edges begin below a node, and go straight through a row that they pass.
                let bottom =
                    tops[row - 1] + upper.node.map_or(heights[row - 1], |node| box_height(&texts[node]));
                let (from, to) = (upper.middle, item.middle);
                let (begin, end) = (tops[row - 1] + heights[row - 1], tops[row]);
                let half = (begin + end) / 2.0;
                let _ = write!(
                    svg,
                    "<path class=\"edge\" d=\"M{from:.1} {bottom:.1}V{begin:.1}C{from:.1} {half:.1} {to:.1} {half:.1} {to:.1} {end:.1}\"/>"
                );
                if item.node.is_none() {
                    let past = end + heights[row];
                    let _ = write!(svg, "<path class=\"edge\" d=\"M{to:.1} {end:.1}V{past:.1}\"/>");
                }
            }
        }
    }
    for (row, items) in of_row.iter().enumerate() {
        for item in items {
            let Some(node) = item.node else { continue };
            let (text, top) = (&texts[node], tops[row]);
            let (left, own) = (item.middle - item.width / 2.0, box_height(text));
            let all = [&graph.nodes[node].name].into_iter().chain(&graph.nodes[node].lines);
            let all: Vec<&str> = all.map(String::as_str).filter(|line| !line.is_empty()).collect();
            let _ = write!(
                svg,
                "<g><title>{}</title><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{own:.1}\" rx=\"8\"/>",
                html(&all.join("\n")),
                item.width
            );
            for (index, line) in text.iter().enumerate() {
                let is_name = index == 0 && !graph.nodes[node].name.is_empty();
                let class = if is_name { " class=\"name\"" } else { "" };
                let y = top + PADDING + LINE * (index as f64 + 0.72);
                let _ =
                    write!(svg, "<text{class} x=\"{:.1}\" y=\"{y:.1}\">{}</text>", item.middle, html(line));
            }
            svg += "</g>";
        }
    }
    svg += "</svg></div>";
    Some(svg)
}

fn box_height(lines: &[String]) -> f64 {
    lines.len() as f64 * LINE + 2.0 * PADDING
}

fn row_width(row: &[Item]) -> f64 {
    let between = BETWEEN * row.len().saturating_sub(1) as f64;
    row.iter().map(|item| item.width).sum::<f64>() + between
}

/// What is in each row, with its place.
fn rows(graph: &ModelGraph, texts: &[Vec<String>]) -> Vec<Vec<Item>> {
    let count = graph.nodes.len();
    // Edges go from earlier nodes to later ones, so the rows of those before are known.
    let mut row = vec![0; count];
    for node in 0..count {
        let before = graph.edges.iter().filter(|(_, to)| *to == node).map(|(from, _)| row[*from] + 1);
        row[node] = before.max().unwrap_or(0);
    }
    let depth = row.iter().max().map_or(0, |last| last + 1);
    let mut items: Vec<Vec<Item>> = (0..depth).map(|_| Vec::new()).collect();
    let mut index_of = vec![0; count];
    for node in 0..count {
        let letters = texts[node].iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let width = (letters as f64 * LETTER + 2.0 * PADDING).max(56.0);
        let mut above = Vec::new();
        for &(from, _) in graph.edges.iter().filter(|(_, to)| *to == node) {
            let mut last = index_of[from];
            for passed in &mut items[row[from] + 1..row[node]] {
                passed.push(Item { node: None, width: PASSING, above: vec![last], middle: 0.0 });
                last = passed.len() - 1;
            }
            above.push(last);
        }
        items[row[node]].push(Item { node: Some(node), width, above, middle: 0.0 });
        index_of[node] = items[row[node]].len() - 1;
    }
    let widest = items.iter().map(|row| row_width(row)).fold(0.0, f64::max);
    for row in 0..depth {
        // In the order of the middles of those above.
        let middles: Vec<f64> = if row == 0 {
            Vec::new()
        } else {
            let place = |item: &Item| {
                let above = item.above.iter().map(|&above| items[row - 1][above].middle);
                above.sum::<f64>() / item.above.len().max(1) as f64
            };
            items[row].iter().map(place).collect()
        };
        let mut order: Vec<usize> = (0..items[row].len()).collect();
        if !middles.is_empty() {
            order.sort_by(|&a, &b| middles[a].total_cmp(&middles[b]));
        }
        let mut left = 1.0 + (widest - row_width(&items[row])) / 2.0;
        for index in order {
            let item = &mut items[row][index];
            item.middle = left + item.width / 2.0;
            left += item.width + BETWEEN;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::GraphNode;

    fn graph(nodes: usize, edges: &[(usize, usize)]) -> ModelGraph {
        let node =
            |index: usize| GraphNode { name: format!("node {index}"), lines: vec!["dense(64)".into()] };
        ModelGraph { nodes: (0..nodes).map(node).collect(), edges: edges.to_vec() }
    }

    #[test]
    fn an_edge_past_a_row_has_a_place_there() {
        // A skip connection around the second node.
        let graph = graph(3, &[(0, 1), (1, 2), (0, 2)]);
        let texts: Vec<Vec<String>> = (0..3).map(|node| lines(&graph, node)).collect();
        let items = rows(&graph, &texts);
        assert_eq!(items.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
        let [first, second] = &items[1][..] else { panic!("{}", items[1].len()) };
        assert!((first.node, second.node) == (Some(1), None) || (first.node, second.node) == (None, Some(1)));
        let apart = (first.middle - second.middle).abs();
        assert!(apart >= (first.width + second.width) / 2.0, "{apart}");
        let picture = picture(&graph).unwrap();
        assert_eq!((picture.matches("<rect").count(), picture.matches("class=\"edge\"").count()), (3, 5));
    }

    #[test]
    fn nothing_overlaps() {
        let edges: Vec<(usize, usize)> =
            (1..40).flat_map(|to| [(to / 2, to), (to / 3, to)]).filter(|(a, b)| a < b).collect();
        let graph = graph(40, &edges);
        let texts: Vec<Vec<String>> = (0..40).map(|node| lines(&graph, node)).collect();
        for row in rows(&graph, &texts) {
            let mut spans: Vec<(f64, f64)> = row
                .iter()
                .map(|item| (item.middle - item.width / 2.0, item.middle + item.width / 2.0))
                .collect();
            spans.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
            assert!(spans[0].0 >= 0.0);
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        for (nodes, edges) in [(0, vec![]), (2, vec![(1, 0)]), (2, vec![(0, 2)]), (MOST + 1, vec![])] {
            assert!(picture(&graph(nodes, &edges)).is_none(), "{nodes} {edges:?}");
        }
        let long = ModelGraph {
            nodes: vec![GraphNode { name: "x".repeat(99), lines: vec!["<b>".into(); 9] }],
            edges: Vec::new(),
        };
        let picture = picture(&long).unwrap();
        assert!(picture.contains("\u{2026}") && picture.contains("and 4 more") && !picture.contains("<b>"));
    }
}
