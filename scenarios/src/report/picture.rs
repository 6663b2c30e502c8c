//! Convergence over time as a line, behind which each fault is a line from top to bottom.

use std::fmt::Write as _;

use super::Report;

const WIDTH: u64 = 800;
const HEIGHT: u64 = 240;
const MARGIN: u64 = 40;

/// Draws `report`.
pub(super) fn draw(report: &Report) -> String {
    let end = (report.lasted.0.as_millis() as u64).max(1);
    let x = |millis: u64| MARGIN + millis.min(end) * WIDTH / end;
    let y = |thousandths: u64| MARGIN + HEIGHT - thousandths.min(1000) * HEIGHT / 1000;
    let (width, height) = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<title>{}: convergence over time</title>\n",
        escaped(&report.scenario.name)
    );
    let calm = x(report.scenario.lasts.0.as_millis() as u64);
    let _ = writeln!(
        svg,
        "<rect x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{}\" height=\"{HEIGHT}\" fill=\"#fff4f0\"/>",
        calm - MARGIN
    );
    for planned in &report.scenario.faults {
        let at = x(planned.at.0.as_millis() as u64);
        let _ = writeln!(
            svg,
            "<line x1=\"{at}\" x2=\"{at}\" y1=\"{MARGIN}\" y2=\"{}\" stroke=\"#f0c0b0\"/>",
            MARGIN + HEIGHT
        );
    }
    let points: Vec<String> = report
        .samples
        .iter()
        .map(|sample| format!("{},{}", x(sample.at.0.as_millis() as u64), y(sample.held_thousandths)))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"#2060a0\" stroke-width=\"2\" points=\"{}\"/>",
        points.join(" ")
    );
    for (thousandths, label) in [(0, "0 %"), (500, "50 %"), (1000, "100 %")] {
        let at = y(thousandths);
        let _ = writeln!(svg, "<text x=\"4\" y=\"{at}\">{label}</text>");
    }
    let below = MARGIN + HEIGHT + 16;
    let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{below}\">0s</text>");
    let _ = writeln!(svg, "<text x=\"{calm}\" y=\"{below}\" text-anchor=\"end\">faults stop</text>");
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n</svg>",
        MARGIN + WIDTH,
        below + 14,
        report.lasted
    );
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
